/** What may come between the steps of a request, each interleaving by name. */
import type { BlobService } from '../../signal/blobs/service.ts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ChatService } from '../../signal/chat/service.ts';
import type { Listener } from '../../signal/chat/listeners.ts';
import { openDatabase } from '../../signal/store/open.ts';
import type { Store } from '../../signal/store/store.ts';
import { draft } from './chatting.ts';
import { TestMeeting } from './keys.ts';

const meeting = new TestMeeting();
/** These meetings have no files. */
const noBlobs = {} as BlobService;

let store: Store;
let generation = 0;
/** Until it resolves, nobody learns what the meeting says. */
let stuck: Promise<void> = Promise.resolve();
let chat: ChatService;

beforeEach(async () => {
  store = await openDatabase(':memory:');
  await store.meetings.create(meeting.id, meeting.terms(), 1);
  generation = 0;
  stuck = Promise.resolve();
  const find = async () => {
    const now = generation;
    await stuck;
    return { generation: now, keepDays: 30, state: null, cleared: null };
  };
  const onError = (error: unknown) => {
    throw error;
  };
  chat = new ChatService({ store, blobs: noBlobs, quota: 1_000_000, find, now: Date.now, onError });
});
afterEach(() => store.close());

class Ear implements Listener {
  meeting: Listener['meeting'] = meeting.id;
  generation: number | null;
  readonly address = '192.0.2.1';
  readonly heard: string[] = [];

  constructor(at: number | null = null) {
    this.generation = at;
  }

  send(text: string): void {
    this.heard.push(text);
  }
}

/** Holds up `find` until it is called. */
function hold(): () => void {
  let release = () => {};
  stuck = new Promise((resolve) => (release = resolve));
  return release;
}
const write = async () => {
  const author = new Ear();
  await chat.open(author, meeting.id, 0);
  return chat.append(author, meeting.id, draft().append);
};

describe('a rotation between looking the meeting up and listening', () => {
  test('ends what was being opened', async () => {
    const stale = new Ear(0);
    const release = hold();
    const opening = chat.open(stale, meeting.id, 0);
    await Promise.resolve();
    generation = 1;
    chat.rotated(meeting.id, 1);
    release();
    await opening;
    await write();
    expect(stale.heard).toEqual(['{"chat":{"type":"closed"}}']);
  });

  test('that is stored first is found by the look', async () => {
    generation = 1;
    const stale = new Ear(0);
    await expect(chat.open(stale, meeting.id, 0)).rejects.toThrow('linkRefused');
    await write();
    expect(stale.heard).toEqual([]);
  });
});

describe('whoever is gone', () => {
  test('before its turn came is not listened for', async () => {
    const gone = new Ear();
    const release = hold();
    const first = chat.open(new Ear(), meeting.id, 0);
    const opening = chat.open(gone, meeting.id, 0);
    gone.meeting = null;
    chat.leave(gone);
    release();
    await first;
    await expect(opening).rejects.toThrow('outOfOrder');
    await write();
    expect(gone.heard).toEqual([]);
  });

  test('while it was opening hears nothing afterwards', async () => {
    const gone = new Ear();
    const release = hold();
    const opening = chat.open(gone, meeting.id, 0);
    await Promise.resolve();
    chat.leave(gone);
    release();
    await opening;
    await write();
    expect(gone.heard).toEqual([]);
  });

  test('while its item waited for its turn has not written it', async () => {
    const [gone, other] = [new Ear(), new Ear()];
    await chat.open(gone, meeting.id, 0);
    await chat.open(other, meeting.id, 0);
    const release = hold();
    const blocking = chat.open(new Ear(), meeting.id, 0);
    const appending = chat.append(gone, meeting.id, draft().append);
    chat.leave(gone);
    release();
    await blocking;
    await expect(appending).rejects.toThrow('not open');
    expect(other.heard).toEqual([]);
  });
});

test('another process that was faster with an item is followed, and the chain goes on from its', async () => {
  const author = new Ear();
  await chat.open(author, meeting.id, 0);
  // A second service on the same store stands for it: neither knows of the other's turns.
  const find = async () => ({ generation: 0, keepDays: 30, state: null, cleared: null });
  const other = new ChatService({
    store,
    blobs: noBlobs,
    quota: 1_000_000,
    find,
    now: Date.now,
    onError: () => undefined,
  });
  const elsewhere = new Ear();
  await other.open(elsewhere, meeting.id, 0);
  const all = Array.from({ length: 6 }, (_, index) =>
    index % 2 ? chat.append(author, meeting.id, draft().append) : other.append(elsewhere, meeting.id, draft().append),
  );
  const seqs = (await Promise.all(all)).map(({ seq }) => seq);
  expect(seqs.sort()).toEqual([1, 2, 3, 4, 5, 6]);
});

test('what one meeting waits for holds up no other', async () => {
  const next = new TestMeeting();
  await store.meetings.create(next.id, next.terms(), 1);
  const release = hold();
  const waiting = chat.open(new Ear(), meeting.id, 0);
  await Promise.resolve();
  stuck = Promise.resolve();
  const there = new Ear();
  there.meeting = next.id;
  await chat.open(there, next.id, 0);
  release();
  await waiting;
});
