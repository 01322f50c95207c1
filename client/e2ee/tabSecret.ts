/**
 * What a password turned into, kept over a reload for one tab: so that coming back takes one click and no password.
 *
 * It is sealed under a key of its own that nobody can export, and lies beside that key in this browser: other scripts and a look
 * at the store do not get at it, whoever copies the whole browser profile might. So it does not last: it is bound to the peer that
 * the tab was, gone when that peer leaves, and not given out after `KEEP_MS`.
 */
import type { Bytes } from '../../crypto/bytes.ts';
import { utf8, wipe } from '../../crypto/bytes.ts';
import { random } from '../../crypto/primitives.ts';
import type { MeetingId, PeerId } from '../../signal/protocol/ids.ts';

/** A working day: who comes back later than this types the password again. */
const KEEP_MS = 12 * 3_600_000;
/** More tabs than anybody reloads. */
const MAX_TABS = 16;

/** What it is for. Opens for exactly this. */
export interface TabSecretTerms {
  readonly meeting: MeetingId;
  /** The peer that the tab was. */
  readonly peer: PeerId;
  /** Of the password, as the record has it. */
  readonly salt: string;
}

export interface TabSecret {
  readonly peer: PeerId;
  /** Milliseconds since 1970. */
  readonly until: number;
  readonly key: CryptoKey;
  readonly iv: Bytes;
  readonly sealed: ArrayBuffer;
}

/** @param stretched 32 bytes; copied now, so yours may be wiped at once */
export async function sealTabSecret(terms: TabSecretTerms, stretched: Bytes, now: number): Promise<TabSecret> {
  const copy = stretched.slice();
  const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  const iv = random(12);
  const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData: bound(terms) }, key, copy);
  wipe(copy);
  return { peer: terms.peer, until: now + KEEP_MS, key, iv, sealed };
}

/** @returns null for what was kept for something else, or too long ago */
export async function openTabSecret(
  kept: readonly TabSecret[],
  terms: TabSecretTerms,
  now: number,
): Promise<Bytes | null> {
  const found = alive(kept, now).find(({ peer }) => peer === terms.peer);
  if (found === undefined) return null;
  const { key, iv, sealed } = found;
  try {
    const algorithm = { name: 'AES-GCM', iv, additionalData: bound(terms) };
    return new Uint8Array(await crypto.subtle.decrypt(algorithm, key, sealed));
  } catch {
    return null;
  }
}

/** Those that are kept after `gone` have gone and `next` has come. */
export function replaced(
  kept: readonly TabSecret[],
  change: { gone: readonly PeerId[]; next: TabSecret | null; now: number },
): TabSecret[] {
  const { gone, next, now } = change;
  const left = alive(kept, now).filter(({ peer }) => !gone.includes(peer) && peer !== next?.peer);
  return [...left, ...(next ? [next] : [])].slice(-MAX_TABS);
}

function alive(kept: readonly TabSecret[], now: number): TabSecret[] {
  // One that claims to last longer was made under a clock that went wrong.
  return kept.filter(({ until }) => until > now && until <= now + KEEP_MS);
}

function bound({ meeting, peer, salt }: TabSecretTerms): Bytes {
  return utf8(JSON.stringify(['parley tab secret 1', meeting, peer, salt]));
}
