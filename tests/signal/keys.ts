/** Keys and meetings for tests of the server, made by node:crypto: real signatures, no group behind them. */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { meetingIdOf, peerIdOf } from '../../signal/auth.ts';
import {
  type ChatHead,
  type HostCommand,
  type HostState,
  labels,
  type MeetingRecord,
  proofText,
  type Settings,
  type Signed,
  type SignedTerms,
} from '../../signal/protocol/documents.ts';
import type { GroupId, MeetingId, PeerId } from '../../signal/protocol/ids.ts';

export interface Key {
  /** base64url */
  readonly publicKey: string;
  sign(label: string, body: string | Uint8Array): string;
}

export function newKey(): Key {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return {
    publicKey: publicKey.export({ format: 'jwk' }).x!,
    sign: (label, body) => signature(privateKey, label, body),
  };
}

function signature(key: KeyObject, label: string, body: string | Uint8Array): string {
  const text = Buffer.concat([Buffer.from(label), Buffer.of(0), Buffer.from(body)]);
  return sign(null, text, key).toString('base64url');
}

export const randomText = (count: number): string => randomBytes(count).toString('base64url');
export const newGroupId = (): GroupId => randomText(32) as GroupId;
export const hashOfBytes = (text: string): string =>
  createHash('sha256').update(Buffer.from(text, 'base64url')).digest('base64url');

/** What everybody with the link and the password holds, and the host key. */
export class TestMeeting {
  readonly host = newKey();
  readonly id: MeetingId = meetingIdOf(this.host.publicKey);
  generation = 0;
  link = newKey();
  access = newKey();
  settings: Settings = { meshLimit: 4, capacity: 10 };
  #sequence = 1;
  #version = 100;

  record(changes: Partial<MeetingRecord> = {}, by = this.host): Signed {
    const record = {
      version: 1,
      hostKey: this.host.publicKey,
      suite: 'X-Wing/AES-256-GCM/SHA-512/Ed25519',
      generation: this.generation,
      createdAt: 1_700_000_000_000,
      linkKey: this.link.publicKey,
      title: randomText(40),
      settings: this.settings,
      ...changes,
    };
    return signed(labels.record, record, by);
  }

  /** What a host hands in for this generation. */
  terms(changes: Partial<MeetingRecord> = {}, by = this.host): SignedTerms {
    const key = { version: 1, meeting: this.id, generation: changes.generation ?? this.generation };
    return {
      record: this.record(changes, by),
      access: signed(labels.access, { ...key, accessKey: this.access.publicKey }, by),
    };
  }

  /** New link, new password, next generation. */
  rotated(): SignedTerms {
    this.generation++;
    this.link = newKey();
    this.access = newKey();
    return this.terms();
  }

  state(changes: Partial<HostState>, by = this.host): Signed {
    const state = { version: 1, meeting: this.id, generation: this.generation, locked: false, bans: [], ...changes };
    return signed(labels.hostState, state, by);
  }

  /** A host's word that the chat's log goes, up to there. */
  cleared(upTo: ChatHead, by = this.host): Signed {
    return this.state({ version: this.#version++, cleared: upTo }, by);
  }

  command(
    order: { action: 'remove'; peer: PeerId } | { action: 'end' },
    by = this.host,
    sequence = this.#sequence++,
  ): Signed {
    return signed(labels.hostCommand, { ...order, meeting: this.id, sequence } satisfies HostCommand, by);
  }
}

export function signed(label: string, document: unknown, by: Key): Signed {
  const body = JSON.stringify(document);
  return { body, signature: by.sign(label, body) };
}

/** A fresh leaf, and the peer that it makes. */
export function newLeaf(): Key & { peer: PeerId } {
  const key = newKey();
  return { ...key, peer: peerIdOf(key.publicKey) };
}

/** "I cannot apply that commit", as a leaf signs it. */
export function objection(leaf: Key, groupId: GroupId, epoch: number, commit: string) {
  const at = Buffer.alloc(8);
  at.writeBigUInt64BE(BigInt(epoch));
  const commitHash = hashOfBytes(commit);
  const body = Buffer.concat([Buffer.from(groupId, 'base64url'), at, Buffer.from(commitHash, 'base64url')]);
  return { groupId, epoch, commitHash, signature: leaf.sign('parley commit invalid 1', body) };
}

export { labels, proofText };
