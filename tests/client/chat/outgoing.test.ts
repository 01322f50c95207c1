/** What goes with a message: up at once, written when it is up, and gone when it is taken back. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { FileBody } from '../../../client/chat/bodies.ts';
import { FileError, type FilePut } from '../../../client/chat/files.ts';
import { OutgoingFiles } from '../../../client/chat/outgoing.ts';
import type { Picture } from '../../../client/chat/pictures.ts';
import type { ChatPort } from '../../../client/chat/providers/ways.ts';
import type { ChatPerson } from '../../../client/chat/view.ts';

interface Upload extends FilePut {
  readonly content: Blob;
  readonly end: (with_: string | FileError) => void;
}

let uploads: Upload[];
let unfiled: string[];
let written: { text: string; to: string | null; files: FileBody[]; isKept: boolean }[];
let canWrite: boolean;
let isOnline: boolean;
/** The disk takes something. */
let hasRoom: boolean;
/** What is to be kept waits for this. */
let slow: Promise<void> | null;
/** What is kept, by id. */
let kept: Map<string, string>;
let pieces: string[];
let outgoing: OutgoingFiles;

const tick = () => new Promise<void>((resolve) => setTimeout(resolve));
const person = (id: string): ChatPerson => ({ id, name: id, self: false, here: true, hasCard: true });
const file = (name: string, size = 5, type = 'text/plain') => new File([new Uint8Array(size)], name, { type });
/** The beginning of a JPEG of 4 × 3. */
const SMALL = Uint8Array.of(0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 3, 0, 4, 1);
const SMALL_TEXT = Buffer.from(SMALL).toString('base64url');
const REDRAWN = new Blob(['redrawn'], { type: 'image/jpeg' });
const KEY = 'K'.repeat(42) + 'A';
const blobOf = (made: number): string => `${made}`.padEnd(22, 'A');
const states = () => outgoing.staged.map(({ state }) => state.at);
const messages = () => outgoing.outgoing(person).map(({ text, failed }) => `${text}${failed ? ' failed' : ''}`);
const keeping = () => outgoing.outgoing(person).map((one) => one.kept);
let made = 0;
async function up(index: number): Promise<void> {
  const blob = uploads[index]!.blob ?? blobOf(made++);
  await uploads[index]!.begun(blob);
  uploads[index]!.end(blob);
  await tick();
}

/** The worker: of this page, which is the only one. */
function port(): ChatPort {
  const taken = new Set<string>();
  const answers: Record<string, (params: never) => unknown> = {
    'chat.keepPiece': ({ id, file: number, piece }: { id: string; file: number; piece: number }) => {
      if (!hasRoom) throw new Error('no room');
      pieces.push(`${number} ${piece}`);
      taken.add(id);
      return { isLast: piece === 1 };
    },
    'chat.keepSent': async ({ id, message }: { id: string; message: string }) => {
      if (!hasRoom) throw new Error('no room');
      await slow;
      taken.add(id);
      kept.set(id, message);
      return {};
    },
    'chat.takeSent': () => {
      const sent = [...kept].filter(([id]) => !taken.has(id)).map(([id, message]) => ({ id, message }));
      for (const { id } of sent) taken.add(id);
      return { sent };
    },
    'chat.dropSent': ({ id }: { id: string }) => {
      if (!hasRoom) throw new Error('no room');
      kept.delete(id);
      return {};
    },
    'chat.keptFile': ({ key }: { key: string }) => ({ handle: 0, key, bytes: 9, erase: '' }),
  };
  return { call: async (name, params) => (await answers[name]!(params as never)) as never };
}

function open(): OutgoingFiles {
  let sealed = 0;
  const contents: Blob[] = [];
  return new OutgoingFiles({
    port: port(),
    files: {
      seal: async (content) => {
        contents.push(content);
        return { handle: sealed++, key: KEY, bytes: content.size, erase: '' };
      },
      put: async (given) => {
        const { handle } = await given.open();
        return new Promise((resolve, reject) => {
          const end: Upload['end'] = (ended) => (ended instanceof FileError ? reject(ended) : resolve(ended));
          uploads.push({ ...given, content: contents[handle] ?? new Blob(), end });
        });
      },
      check: async () => undefined,
      end: () => undefined,
    },
    unfile: ({ blob }) => void unfiled.push(blob),
    isOnline: () => isOnline,
    readPicture: async ({ type }): Promise<Picture | null> =>
      type === 'image/jpeg' ? { width: 4, height: 3, thumbnail: SMALL, redrawn: REDRAWN } : null,
    write: async ({ text, to }, files, sent) => {
      if (canWrite) written.push({ text, to, files, isKept: sent !== null });
      if (canWrite && sent !== null) kept.delete(sent);
      return canWrite;
    },
    changed: () => undefined,
    now: () => 1000 + made++,
    after: () => () => undefined,
  });
}

beforeEach(() => {
  [uploads, unfiled, written, pieces, kept] = [[], [], [], [], new Map()];
  [canWrite, isOnline, hasRoom, made] = [true, true, true, 0];
  slow = null;
  outgoing = open();
});

describe('a message with files', () => {
  test('is written once all of them are up, and names what lies where', async () => {
    outgoing.add([file('a.txt'), file('../b\u202etxt.exe', 7)]);
    await tick();
    outgoing.send({ text: 'both', replyTo: null, to: 'ben' });
    expect([outgoing.staged, messages()]).toEqual([[], ['both']]);
    await up(1);
    expect(written).toEqual([]);
    await up(0);
    expect(written).toEqual([
      {
        text: 'both',
        to: 'ben',
        files: [
          { blob: blobOf(2), key: KEY, size: 5, name: 'a.txt', type: 'text/plain' },
          { blob: blobOf(1), key: KEY, size: 7, name: '___btxt.exe', type: 'text/plain' },
        ],
        isKept: true,
      },
    ]);
    expect(messages()).toEqual([]);
    expect([unfiled, kept.size]).toEqual([[], 0]);
  });

  test('goes in the order in which it was sent', async () => {
    outgoing.add([file('slow')]);
    await tick();
    outgoing.send({ text: 'first', replyTo: null, to: null });
    outgoing.add([file('fast')]);
    await tick();
    outgoing.send({ text: 'second', replyTo: null, to: null });
    await up(1);
    expect(written).toEqual([]);
    await up(0);
    expect(written.map(({ text }) => text)).toEqual(['first', 'second']);
  });

  test('that cannot be, stays, is tried again, and holds up no other', async () => {
    outgoing.add([file('a'), file('b')]);
    await tick();
    outgoing.send({ text: 'one', replyTo: null, to: null });
    uploads[0]!.end(new FileError('busy'));
    await up(1);
    expect(messages()).toEqual(['one failed']);
    outgoing.add([file('c')]);
    await tick();
    outgoing.send({ text: 'two', replyTo: null, to: null });
    await up(2);
    expect(written.map(({ text }) => text)).toEqual(['two']);
    const [stuck] = outgoing.outgoing(person);
    outgoing.retry(stuck!.id);
    await tick();
    // What is up already does not go once more.
    expect(uploads.length).toBe(4);
    canWrite = false;
    await up(3);
    expect(messages()).toEqual(['one failed']);
    canWrite = true;
    outgoing.retry(stuck!.id);
    await tick();
    expect(written.map(({ text }) => text)).toEqual(['two', 'one']);
  });

  test('that is given up leaves nothing, here and on the server', async () => {
    outgoing.add([file('a'), file('b')]);
    await tick();
    await up(0);
    await uploads[1]!.begun(blobOf(7));
    outgoing.send({ text: 'never', replyTo: null, to: null });
    await tick();
    expect([keeping(), kept.size]).toEqual([['yes'], 1]);
    outgoing.giveUp(outgoing.outgoing(person)[0]!.id);
    await tick();
    expect([unfiled, kept.size]).toEqual([[blobOf(0), blobOf(7)], 0]);
    expect(uploads[1]!.signal.aborted).toBe(true);
    uploads[1]!.end(blobOf(7));
    await tick();
    expect(written).toEqual([]);
    // One that was begun at that very moment, too.
    outgoing.add([file('c')]);
    await tick();
    outgoing.remove(outgoing.staged[0]!.id);
    await uploads[2]!.begun(blobOf(8));
    expect(unfiled.at(-1)).toBe(blobOf(8));
  });
});

describe('what was sent is kept', () => {
  test('with what has not come through of its files, and goes on where it was after the page has ended', async () => {
    outgoing.add([file('a.txt'), file('photo.jpg', 9, 'image/jpeg')]);
    await tick();
    await up(0);
    await uploads[1]!.begun(blobOf(7));
    outgoing.send({ text: 'both', replyTo: 'r', to: 'ben' });
    expect([keeping(), outgoing.isAtRisk]).toEqual([['soon'], true]);
    await tick();
    expect([keeping(), outgoing.isAtRisk]).toEqual([['yes'], false]);
    expect(pieces).toEqual(['1 0', '1 1']);
    outgoing.close();
    expect(unfiled).toEqual([]);
    outgoing = open();
    await outgoing.takeUp();
    await tick();
    const [again] = outgoing.outgoing(person);
    expect(again).toMatchObject({ text: 'both', to: { id: 'ben' }, kept: 'yes', failed: false });
    expect(again!.files).toMatchObject([
      { name: 'a.txt', size: 5, state: { at: 'ready' }, thumbnail: null },
      {
        name: 'photo.jpg',
        size: 7,
        state: { at: 'uploading' },
        thumbnail: `data:image/jpeg;base64,${Buffer.from(SMALL).toString('base64')}`,
      },
    ]);
    expect([uploads.length, uploads[2]!.blob]).toEqual([3, blobOf(7)]);
    await up(2);
    expect(written).toMatchObject([
      { text: 'both', to: 'ben', isKept: true, files: [{ blob: blobOf(0) }, { blob: blobOf(7) }] },
    ]);
    expect([messages(), kept.size]).toEqual([[], 0]);
  });

  test('also where it goes, once that is known, before anything of it goes there', async () => {
    outgoing.add([file('a')]);
    await tick();
    outgoing.send({ text: '', replyTo: null, to: null });
    await tick();
    await uploads[0]!.begun(blobOf(7));
    expect([...kept.values()].join('')).toContain(blobOf(7));
  });

  test('in the order in which it was sent, whichever page that was', async () => {
    for (const text of ['first', 'second']) {
      outgoing.add([file(text)]);
      outgoing.send({ text, replyTo: null, to: null });
    }
    await tick();
    outgoing.close();
    outgoing = open();
    outgoing.add([file('third')]);
    outgoing.send({ text: 'third', replyTo: null, to: null });
    await outgoing.takeUp();
    await tick();
    expect(messages()).toEqual(['first', 'second', 'third']);
  });

  test('or it is said that it is not, and kept when it is tried again', async () => {
    hasRoom = false;
    outgoing.add([file('a')]);
    await tick();
    outgoing.send({ text: 'large', replyTo: null, to: null });
    await tick();
    expect([keeping(), outgoing.isAtRisk]).toEqual([['no'], true]);
    uploads[0]!.end(new FileError('busy'));
    await tick();
    hasRoom = true;
    outgoing.retry(outgoing.outgoing(person)[0]!.id);
    await tick();
    expect([keeping(), messages()]).toEqual([['yes'], ['large']]);
    await up(1);
    expect(written).toMatchObject([{ text: 'large', isKept: true }]);
  });

  test('unless its files are up before that, or it could not be written then', async () => {
    outgoing.add([file('a')]);
    await tick();
    await up(0);
    outgoing.send({ text: 'at once', replyTo: null, to: null });
    await tick();
    expect(written).toMatchObject([{ text: 'at once', isKept: false }]);
    expect([kept.size, pieces]).toEqual([0, []]);
    canWrite = false;
    outgoing.add([file('b')]);
    await tick();
    await up(1);
    outgoing.send({ text: 'not yet', replyTo: null, to: null });
    await tick();
    expect([messages(), keeping(), kept.size]).toEqual([['not yet failed'], ['yes'], 1]);
  });

  test('also where it goes where that is known only while its message is on its way to the disk', async () => {
    outgoing.add([file('a')]);
    await tick();
    let go = (): void => undefined;
    slow = new Promise((resolve) => (go = resolve));
    outgoing.send({ text: '', replyTo: null, to: null });
    await tick();
    const beginning = uploads[0]!.begun(blobOf(7));
    await tick();
    go();
    await beginning;
    await tick();
    expect(keeping()).toEqual(['yes']);
    expect([...kept.values()].join('')).toContain(blobOf(7));
  });

  test('what has failed to go up is not gone on with where it is about to be deleted', async () => {
    outgoing.add([file('a')]);
    await tick();
    outgoing.send({ text: '', replyTo: null, to: null });
    await tick();
    await uploads[0]!.begun(blobOf(7));
    uploads[0]!.end(new FileError('changed'));
    await tick();
    expect([unfiled, keeping()]).toEqual([[blobOf(7)], ['yes']]);
    outgoing.close();
    outgoing = open();
    await outgoing.takeUp();
    await tick();
    expect(uploads[1]!.blob).toBe(null);
  });

  test('what cannot be dropped is not given up', async () => {
    outgoing.add([file('a')]);
    await tick();
    await up(0);
    canWrite = false;
    outgoing.send({ text: 'x', replyTo: null, to: null });
    await tick();
    expect([messages(), keeping()]).toEqual([['x failed'], ['yes']]);
    hasRoom = false;
    outgoing.giveUp(outgoing.outgoing(person)[0]!.id);
    await tick();
    expect([messages(), unfiled, kept.size]).toEqual([['x failed'], [], 1]);
  });

  test('and what is of another version is dropped', async () => {
    kept.set('x', '{"text":1}');
    await outgoing.takeUp();
    expect([messages(), kept.size]).toEqual([[], 0]);
  });
});

describe('a staged file', () => {
  test('says how far it is, waits without a connection, and is no more than eight', async () => {
    expect(outgoing.add(Array.from({ length: 10 }, (_, i) => file(`${i}`)))).toBe(2);
    expect(states()).toEqual(Array(8).fill('preparing'));
    await tick();
    uploads[0]!.progress(0.5);
    expect(outgoing.staged[0]!.state).toEqual({ at: 'uploading', share: 0.5 });
    isOnline = false;
    expect(states()).toEqual(Array(8).fill('waiting'));
    isOnline = true;
    await up(0);
    uploads[1]!.end(new FileError('changed'));
    await tick();
    expect(outgoing.staged.slice(0, 2).map(({ state }) => state)).toEqual([
      { at: 'ready' },
      { at: 'failed', why: 'changed' },
    ]);
    expect(outgoing.add([file('one more')])).toBe(1);
  });

  test('that is too large is not even begun', async () => {
    const large = file('large');
    Object.defineProperty(large, 'size', { value: 100 * 1024 * 1024 + 1 });
    outgoing.add([large]);
    await tick();
    expect(outgoing.staged[0]!.state).toEqual({ at: 'failed', why: 'tooLarge' });
    outgoing.retry(outgoing.staged[0]!.id);
    await tick();
    expect(uploads).toEqual([]);
  });

  test('that is taken back is deleted', async () => {
    outgoing.add([file('a')]);
    await tick();
    await up(0);
    outgoing.remove(outgoing.staged[0]!.id);
    expect([outgoing.staged, unfiled]).toEqual([[], [blobOf(0)]]);
  });

  test('that is a picture goes without what the camera wrote, unless one wants the original', async () => {
    const photo = file('photo.jpg', 99, 'image/jpeg');
    outgoing.add([photo, file('a.txt')]);
    await tick();
    expect(uploads[0]!.content).toBe(REDRAWN);
    await up(0);
    const [staged, other] = outgoing.staged;
    expect([staged!.original, other!.original]).toEqual([false, null]);
    outgoing.asOriginal(other!.id, true);
    outgoing.asOriginal(staged!.id, true);
    await tick();
    expect(unfiled).toEqual([blobOf(0)]);
    expect(uploads.length).toBe(3);
    expect(uploads[2]!.content).toBe(photo);
    await up(2);
    await up(1);
    outgoing.send({ text: '', replyTo: null, to: null });
    await tick();
    expect(written[0]!.files[0]).toMatchObject({
      size: 99,
      type: 'image/jpeg',
      picture: { width: 4, height: 3, thumbnail: SMALL_TEXT },
    });
  });
});
