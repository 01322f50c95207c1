/**
 * What only a host can do: sign records, states, commands and removals.
 *
 * The host key is the meeting's: it cannot be revoked, and whoever holds it is host. Every order carries a sequence that
 * rises, kept where the host key is kept, so that none can be used twice; the server and all members check both.
 */
import type { Bytes } from '../../crypto/bytes.ts';
import { base64url, wipe } from '../../crypto/bytes.ts';
import { deriveLinkKeys, deriveMeetingKeys, newInviteSecret, sealTitle } from '../../crypto/invite.ts';
import type { KeyPair } from '../../crypto/primitives.ts';
import type { Place, RemovalReason } from '../../crypto/removal.ts';
import { signHostRemoval } from '../../crypto/removal.ts';
import { signBytes, signText } from '../../crypto/signed.ts';
import {
  labels,
  type AccessDocument,
  type HostCommand,
  type HostState,
  type MeetingRecord,
  type Settings,
  type Signed,
  type SignedTerms,
} from '../../signal/protocol/documents.ts';
import type { MeetingId } from '../../signal/protocol/ids.ts';
import { hostProfileBody, HOST_PROFILE_LABEL } from './session/hostMark.ts';

/** What a generation is made of. */
export interface RecordTerms {
  readonly meeting: MeetingId;
  readonly generation: number;
  readonly title: string;
  readonly settings: Settings;
  /** Argon2id output and the salt that led to it; null without a password. */
  readonly password: { readonly stretched: Bytes; readonly salt: string } | null;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

/** Where sequences survive a reload. */
export interface HostMemory {
  readonly lastSequence: number;
  /** Resolves when it is safe to use `sequence`. */
  keep(sequence: number): Promise<void>;
}

/** Draws an invite secret for a generation, and signs the record and the access key that go with it. */
export async function makeTerms(hostKey: KeyPair, terms: RecordTerms): Promise<SignedTerms & { secret: Bytes }> {
  const { meeting, generation, password } = terms;
  const secret = newInviteSecret();
  const { linkKey, titleKey } = await deriveLinkKeys(secret, meeting);
  const stretched = password?.stretched ?? null;
  const keys = await deriveMeetingKeys({ secret, stretched, hostPublicKey: hostKey.publicKey, generation });
  const record: MeetingRecord = {
    version: 1,
    hostKey: base64url(hostKey.publicKey),
    suite: 'X-Wing/AES-256-GCM/SHA-512/Ed25519',
    generation,
    createdAt: terms.createdAt,
    ...(password === null ? {} : { salt: password.salt }),
    linkKey: base64url(linkKey.publicKey),
    title: base64url(await sealTitle(titleKey, meeting, terms.title)),
    settings: terms.settings,
  };
  const access: AccessDocument = { version: 1, meeting, generation, accessKey: base64url(keys.accessKey.publicKey) };
  wipe(linkKey.privateKey, titleKey);
  keys.wipe();
  return {
    record: await signJson(labels.record, record, hostKey),
    access: await signJson(labels.access, access, hostKey),
    secret,
  };
}

/** The year 3084; sequences have room up to 2^53. */
const MAX_TIME = 2 ** 45;

export class Host {
  readonly key: KeyPair;
  readonly meeting: MeetingId;
  readonly #memory: HostMemory;
  #lastSequence: number;

  constructor(key: KeyPair, meeting: MeetingId, memory: HostMemory) {
    this.key = key;
    this.meeting = meeting;
    this.#memory = memory;
    this.#lastSequence = memory.lastSequence;
  }

  /** A sequence above all before it. A time that cannot be is not looked at: a server must not use the numbers up. Milliseconds, so that a host whose memory was lost still counts up. @param above of others */
  async nextSequence(now: number, above = 0): Promise<number> {
    this.#lastSequence = Math.max(this.#lastSequence + 1, above + 1, now < MAX_TIME ? Math.floor(now) : 0);
    await this.#memory.keep(this.#lastSequence);
    return this.#lastSequence;
  }

  signState(state: HostState): Promise<Signed> {
    return signJson(labels.hostState, state, this.key);
  }

  signCommand(command: HostCommand): Promise<Signed> {
    return signJson(labels.hostCommand, command, this.key);
  }

  signRemoval(place: Place, leafKey: Bytes, order: { sequence: number; generation: number }): Promise<RemovalReason> {
    return signHostRemoval(place, leafKey, order, this.key.privateKey);
  }

  /** The mark by which members see who is host. */
  signProfile(groupId: Bytes, leafKey: Bytes): Promise<Bytes> {
    return signBytes(HOST_PROFILE_LABEL, hostProfileBody(this.meeting, groupId, leafKey), this.key.privateKey);
  }

  wipe(): void {
    wipe(this.key.privateKey);
  }
}

async function signJson(label: string, value: unknown, key: KeyPair): Promise<Signed> {
  const body = JSON.stringify(value);
  return { body, signature: base64url(await signText(label, body, key.privateKey)) };
}
