/** What a chat's client draws and reckons, for tests of the server: items with their tokens, snapshots, and the chain, worked out anew. */
import { createHash } from 'node:crypto';
import type { ChatHead, ChatItem, ChatSnapshot } from '../../signal/protocol/chat.ts';
import type { Params } from '../../signal/protocol/requests.ts';
import type { Client } from './client.ts';
import { hashOfBytes, randomText, type TestMeeting } from './keys.ts';

export interface Draft {
  readonly append: Params<'chat.append'>;
  /** Erases it. */
  readonly token: string;
}

/** @param body  base64url */
export function draft(body = randomText(40)): Draft {
  const token = randomText(32);
  return { append: { id: randomText(16), body, erase: hashOfBytes(token) }, token };
}

/** Clears what this client sees of the chat, by a host's word. */
export async function clear(client: Client, meeting: TestMeeting): Promise<ChatHead> {
  const { head } = await client.request('chat.open', { after: 1e9 });
  await client.request('host.state', { state: meeting.cleared(head) });
  return head;
}

/** As `chat.erase` wants it: something small in the place of the body. */
export const erasing = (seq: number, token: string): Params<'chat.erase'>['items'][number] => ({
  seq,
  token,
  body: randomText(10),
});

/** Appends items one after the other. */
export async function write(client: Client, count: number, make = () => draft()): Promise<Draft[]> {
  const drafts = Array.from({ length: count }, make);
  for (const { append } of drafts) await client.request('chat.append', append);
  return drafts;
}

/** The chain as protocol/chat.ts writes it down, by other means than the server's. */
export function chainFrom(base: ChatHead, items: readonly Pick<ChatItem, 'hash'>[]): ChatHead {
  let { seq } = base;
  let hash = Buffer.from(base.hash, 'base64url');
  for (const item of items) {
    seq++;
    const number = Buffer.from(seq.toString(16).padStart(16, '0'), 'hex');
    const text = Buffer.concat([hash, number, Buffer.from(item.hash, 'base64url')]);
    hash = createHash('sha256').update(text).digest();
  }
  return { seq, hash: hash.toString('base64url') };
}

export function beginning({ id }: TestMeeting): ChatHead {
  const text = Buffer.concat([Buffer.from('parley chat log 1'), Buffer.of(0), Buffer.from(id)]);
  return { seq: 0, hash: createHash('sha256').update(text).digest('base64url') };
}

export interface SnapshotDraft {
  readonly snapshot: ChatSnapshot;
  readonly parts: readonly string[];
}

/** @param parts  base64url */
export function snapshotOf(covers: ChatHead, parts = [randomText(3000), randomText(70)]): SnapshotDraft {
  const all = Buffer.concat(parts.map((part) => Buffer.from(part, 'base64url')));
  const hash = createHash('sha256').update(all).digest('base64url');
  return { snapshot: { id: randomText(16), covers, parts: parts.length, hash, confirmed: false }, parts };
}

/** Offers it whole. */
export async function offer(client: Client, { snapshot, parts }: SnapshotDraft): Promise<void> {
  await client.request('chat.offer', { snapshot });
  for (const [part, body] of parts.entries()) {
    await client.request('chat.offerPart', { snapshot: snapshot.id, part, body });
  }
}
