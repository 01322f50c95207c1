/** What goes with a message: up at once, written when it is up, and gone when it is taken back. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { FileBody } from '../../../client/chat/bodies.ts';
import { FileError, type FilePlace } from '../../../client/chat/files.ts';
import { OutgoingFiles } from '../../../client/chat/outgoing.ts';
import type { Picture } from '../../../client/chat/pictures.ts';
import type { ChatPerson, FileTransfer } from '../../../client/chat/view.ts';

interface Upload {
  readonly content: Blob;
  readonly transfer: FileTransfer;
  readonly end: (place: Omit<FilePlace, 'size'> | FileError) => void;
}

let uploads: Upload[];
let deleted: string[];
let written: { text: string; to: string | null; files: FileBody[] }[];
let canWrite: boolean;
let isOnline: boolean;
let outgoing: OutgoingFiles;

const tick = () => new Promise<void>((resolve) => setTimeout(resolve));
const person = (id: string): ChatPerson => ({ id, name: id, self: false, here: true, hasCard: true });
const file = (name: string, size = 5, type = 'text/plain') => new File([new Uint8Array(size)], name, { type });
const REDRAWN = new Blob(['redrawn'], { type: 'image/jpeg' });
const states = () => outgoing.staged.map(({ state }) => state.at);
const messages = () => outgoing.outgoing(person).map(({ text, failed }) => `${text}${failed ? ' failed' : ''}`);
let made = 0;
async function up(index: number): Promise<void> {
  uploads[index]!.end({ blob: `blob ${made++}`, key: 'key' });
  await tick();
}

beforeEach(() => {
  [uploads, deleted, written, canWrite, isOnline, made] = [[], [], [], true, true, 0];
  outgoing = new OutgoingFiles({
    files: {
      put: (content, transfer) =>
        new Promise((resolve, reject) => {
          const end: Upload['end'] = (place) => (place instanceof FileError ? reject(place) : resolve(place));
          uploads.push({ content, transfer, end });
        }),
      delete: async (blob) => void deleted.push(blob),
    },
    isOnline: () => isOnline,
    readPicture: async ({ type }): Promise<Picture | null> =>
      type === 'image/jpeg' ? { width: 4, height: 3, thumbnail: Uint8Array.of(1, 2, 3), redrawn: REDRAWN } : null,
    write: async ({ text, to }, files) => {
      if (canWrite) written.push({ text, to, files });
      return canWrite;
    },
    changed: () => undefined,
  });
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
          { blob: 'blob 1', key: 'key', size: 5, name: 'a.txt', type: 'text/plain' },
          { blob: 'blob 0', key: 'key', size: 7, name: '___btxt.exe', type: 'text/plain' },
        ],
      },
    ]);
    expect(messages()).toEqual([]);
    expect(deleted).toEqual([]);
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

  test('that is given up leaves nothing on the server', async () => {
    outgoing.add([file('a'), file('b')]);
    await tick();
    await up(0);
    outgoing.send({ text: 'never', replyTo: null, to: null });
    outgoing.giveUp(outgoing.outgoing(person)[0]!.id);
    expect(deleted).toEqual(['blob 0']);
    expect(uploads[1]!.transfer.signal.aborted).toBe(true);
    // One that came through at that very moment, too.
    await up(1);
    expect(deleted).toEqual(['blob 0', 'blob 1']);
    expect(written).toEqual([]);
  });
});

describe('a staged file', () => {
  test('says how far it is, waits without a connection, and is no more than eight', async () => {
    expect(outgoing.add(Array.from({ length: 10 }, (_, i) => file(`${i}`)))).toBe(2);
    expect(states()).toEqual(Array(8).fill('preparing'));
    await tick();
    uploads[0]!.transfer.progress(0.5);
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
    expect([outgoing.staged, deleted]).toEqual([[], ['blob 0']]);
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
    expect(deleted).toEqual(['blob 0']);
    expect(uploads.length).toBe(3);
    expect(uploads[2]!.content).toBe(photo);
    await up(2);
    await up(1);
    outgoing.send({ text: '', replyTo: null, to: null });
    await tick();
    expect(written[0]!.files[0]).toMatchObject({
      size: 99,
      type: 'image/jpeg',
      picture: { width: 4, height: 3, thumbnail: 'AQID' },
    });
  });
});
