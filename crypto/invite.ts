/**
 * The invite: what stands in a link, and every key that grows from it.
 *
 *     https://HOST/m/MEETING-ID#SECRET         SECRET: 32 random bytes, base64url, in the fragment: no server sees it
 *
 *     secret ─ HKDF ─► link key (Ed25519), title key (32)
 *     secret ‖ stretched password ─ HKDF ─► meeting secret ─ HKDF ─► access key, admission key (Ed25519), metadata key, PSK
 *
 * A link admits, it is never a media key. HKDF-SHA-512, RFC 5869. Each `info` starts with a label of its own, so no two
 * keys are the same; meeting id or full host key are in it, so a secret used twice gives other keys.
 */
import type { Bytes } from './bytes.ts';
import { base64url, concat, crockford, fromBase64url, fromCrockford, labelled, utf8, wipe } from './bytes.ts';
import { Writer } from './codec.ts';
import { CryptoError } from './errors.ts';
import type { KeyPair } from './primitives.ts';
import { blake2b, hkdf, random, signKeyPair } from './primitives.ts';
import { openText, sealText } from './sealedText.ts';

const SECRET_BYTES = 32;
/** 80 bits in 16 characters: short enough to read aloud, and still no second host key is found for an id. */
const ID_BYTES = 10;
const ID_CHARACTERS = 16;
const NO_SALT = new Uint8Array(0);

export interface Invite {
  /** xxxx-xxxx-xxxx-xxxx */
  readonly meeting: string;
  /** Null for a bare id: whoever has no secret can only knock. */
  readonly secret: Bytes | null;
}

/** The meeting that belongs to a host key: BLAKE2b-512, first 10 bytes, Crockford base32 in four groups of four. */
export async function meetingIdOf(hostPublicKey: Bytes): Promise<string> {
  const text = crockford((await blake2b(checkLength(hostPublicKey, 32), 64)).subarray(0, ID_BYTES));
  return grouped(text);
}

/** Reads an id as people type it: either case, any spaces and dashes, o for 0, i and l for 1. Null if it is none. */
export function parseMeetingId(text: string): string | null {
  const compact = text.replaceAll(/[\s\p{Pd}_.]/gu, '');
  if (compact.length !== ID_CHARACTERS) return null;
  try {
    return grouped(crockford(fromCrockford(compact)));
  } catch {
    return null;
  }
}

/** @returns 32 random bytes: what stands in a link behind the # */
export function newInviteSecret(): Bytes {
  return random(SECRET_BYTES);
}

/** @param origin scheme, host and port, e.g. `https://meet.example.org` */
export function formatInvite(origin: string, meetingId: string, secret: Bytes): string {
  return `${origin.replace(/\/+$/, '')}/m/${meetingId}#${base64url(checkLength(secret, SECRET_BYTES))}`;
}

/**
 * Reads an invite in any form that people paste: a URL with or without scheme, also inside of a sentence, `id#secret`, or an
 * id alone. Null if it is none of these, or if its secret is damaged: half a link must not pass for an id to knock with.
 */
export function parseInvite(text: string): Invite | null {
  const whole = parseOne(text.trim());
  if (whole !== null) return whole;
  for (const word of text.split(/\s+/)) {
    const invite = word.includes('/m/') ? parseOne(word) : null;
    if (invite !== null) return invite;
  }
  return null;
}

function parseOne(text: string): Invite | null {
  // Chat programs and mail wrap links in brackets and quotes, sentences end them with a full stop.
  const bare = text.replace(/^[<(["'«“‘]+/, '').replace(/[>)\]"'»”’.,;:!?]+$/, '');
  const [address = '', ...fragments] = bare.split('#');
  if (fragments.length > 1) return null;
  const path = address.replace(/\?.*$/, '').replace(/\/+$/, '');
  const link = /^.*\/m\/([^/]+)$/.exec(path);
  const meeting = parseMeetingId(link?.[1] ?? path);
  if (meeting === null) return null;
  const [fragment = ''] = fragments;
  if (fragment === '') return { meeting, secret: null };
  try {
    return { meeting, secret: checkLength(fromBase64url(fragment), SECRET_BYTES) };
  } catch {
    return null;
  }
}

/** Known with the link alone, before the server has shown anything: the key that proves the link, and the title's. */
export interface LinkKeys {
  readonly linkKey: KeyPair;
  /** 32 bytes, for `openTitle`. */
  readonly titleKey: Bytes;
}

/**
 * What the link alone gives, without a password. HKDF-SHA-512 (RFC 5869), with the meeting id in `info`.
 * @param secret    32 bytes of the link; only read
 * @param meetingId in its four groups of four
 * @returns an Ed25519 pair whose private key is a 32-byte seed, and 32 bytes of title key: both are the caller's to wipe
 * @throws CryptoError 'usage' for a secret of another length
 */
export async function deriveLinkKeys(secret: Bytes, meetingId: string): Promise<LinkKeys> {
  checkLength(secret, SECRET_BYTES);
  const expand = (label: string) => hkdf(secret, { salt: NO_SALT, info: labelled(label, utf8(meetingId)), length: 32 });
  return {
    linkKey: await keyPairFrom(expand('parley link key 1')),
    titleKey: await expand('parley title key 1'),
  };
}

/** What link and password together give. Everything here changes with each generation. */
export interface MeetingKeys {
  /** Proves link and password to the server. */
  readonly accessKey: KeyPair;
  /** Signs a newcomer's key package. */
  readonly admissionKey: KeyPair;
  /** 32 bytes: names, description, schedule. */
  readonly metadataKey: Bytes;
  /** 32 bytes: wraps the chat's ring (chatKey.ts) where whoever has link and password may read it all. */
  readonly chatKey: Bytes;
  /** The external PSK of an MLS group, 32 bytes: in every commit that adds somebody. */
  psk(groupId: Bytes): Promise<Bytes>;
  /** Overwrites everything in here. */
  wipe(): void;
}

/**
 * @param options.secret      32 bytes of the link
 * @param options.stretched   32 bytes of `stretch(password, salt)`, null for a meeting without a password
 * @param options.generation  counts links, passwords and removals; bound into each key
 */
export async function deriveMeetingKeys(options: {
  secret: Bytes;
  stretched: Bytes | null;
  hostPublicKey: Bytes;
  generation: number;
}): Promise<MeetingKeys> {
  const { secret, stretched, hostPublicKey, generation } = options;
  // The lengths are fixed, so with and without a password never give the same input.
  const parts = [checkLength(secret, SECRET_BYTES), ...(stretched === null ? [] : [checkLength(stretched, 32)])];
  const input = concat(...parts);
  const info = concat(utf8('parley 1'), checkLength(hostPublicKey, 32));
  const meetingSecret = await hkdf(input, { salt: NO_SALT, info, length: 64 });
  wipe(input);

  const count = new Writer().u32(generation).done();
  const expand = (label: string, ...context: Bytes[]) =>
    hkdf(meetingSecret, { salt: NO_SALT, info: labelled(label, ...context, count), length: 32 });
  const accessKey = await keyPairFrom(expand('parley access key 1'));
  const admissionKey = await keyPairFrom(expand('parley admission key 1'));
  const metadataKey = await expand('parley metadata key 1');
  const chatKey = await expand('parley chat wrap key 1');
  let wiped = false;
  return {
    accessKey,
    admissionKey,
    metadataKey,
    chatKey,
    async psk(groupId) {
      if (wiped) throw new CryptoError('unknownKey', 'the keys of this generation are gone');
      return expand('parley psk 1', checkLength(groupId, 32));
    },
    wipe() {
      wiped = true;
      wipe(meetingSecret, accessKey.privateKey, admissionKey.privateKey, metadataKey, chatKey);
    },
  };
}

/** @param titleKey from `deriveLinkKeys` @returns the title sealed for this meeting; sizes come in steps of 32 bytes */
export function sealTitle(titleKey: Bytes, meetingId: string, title: string): Promise<Bytes> {
  return sealText(titleKey, title, labelled('parley title 1', utf8(meetingId)));
}

/** @throws CryptoError 'malformed' or 'forged' */
export function openTitle(titleKey: Bytes, meetingId: string, sealed: Bytes): Promise<string> {
  return openText(titleKey, sealed, labelled('parley title 1', utf8(meetingId)));
}

/**
 * @param metadataKey from `deriveMeetingKeys`
 * @returns a person's name for the lobby. It is not bound to a peer: the server could swap two people's, which is why
 *          members confirm theirs by a signed message once they are in
 */
export function sealName(metadataKey: Bytes, meetingId: string, name: string): Promise<Bytes> {
  return sealText(metadataKey, name, labelled('parley name 1', utf8(meetingId)));
}

/** @throws CryptoError 'malformed' or 'forged' */
export function openName(metadataKey: Bytes, meetingId: string, sealed: Bytes): Promise<string> {
  return openText(metadataKey, sealed, labelled('parley name 1', utf8(meetingId)));
}

async function keyPairFrom(seed: Promise<Bytes>): Promise<KeyPair> {
  const bytes = await seed;
  const pair = await signKeyPair(bytes);
  wipe(bytes);
  return pair;
}

function grouped(id: string): string {
  return id.replaceAll(/(.{4})(?=.)/g, '$1-');
}

function checkLength(bytes: Bytes, length: number): Bytes {
  if (bytes.length !== length) throw new CryptoError('usage', `${bytes.length} bytes where ${length} are due`);
  return bytes;
}
