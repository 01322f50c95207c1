/** Files from one browser to another, sealed, through the real server: what is sealed, what goes on after a break, and what is refused. */
import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FileError, type FilePlace, Files } from '../../../client/chat/files.ts';
import type { Unfiled } from '../../../client/chat/unfiling.ts';
import type { ChatPort } from '../../../client/chat/providers/ways.ts';
import { ChatFiles } from '../../../client/e2ee/chat/files.ts';
import { sha256Now } from '../../../crypto/primitives.ts';
import { concat } from '../../../crypto/bytes.ts';
import { admit, type Client, create } from '../../signal/client.ts';
import { TestMeeting } from '../../signal/keys.ts';
import { type StartedApp, startApp } from '../../support/startApp.ts';

const KIB = 1024;
const CHUNK = 64 * KIB + 16;
const CANARY = 'canary-in-a-file';

let app: StartedApp;
let meeting: TestMeeting;

beforeAll(async () => {
  app = await startApp({ PARLEY_FILES_MB: '64' });
});
afterAll(() => app.close());
beforeEach(async () => {
  meeting = new TestMeeting();
  await create(app.url, meeting);
});

/** One browser: its worker, its connection, its files. */
class Browser {
  readonly worker: ChatFiles;
  readonly files: Files;
  /** Pieces of sealed files that were asked for. */
  readonly asked: { from: number; to: number; bytes: Uint8Array }[] = [];
  #client: Client | null = null;

  constructor() {
    const secret = new Uint8Array(randomBytes(32));
    this.worker = new ChatFiles(async (of) => sha256Now(concat(secret, of)));
    const calls = this.worker as unknown as Record<string, (params: unknown) => Promise<never>>;
    const port: ChatPort = {
      call: async (name, params) => {
        const result = await calls[name.slice('chat.'.length)]!.call(this.worker, params);
        if (name === 'chat.sealed')
          this.asked.push({
            ...(params as unknown as { from: number; to: number }),
            ...(result as { bytes: Uint8Array }),
          });
        return result;
      },
    };
    this.files = new Files({
      port,
      line: { request: (name, params) => this.#client!.request(name, params) },
      after: (ms, run) => {
        const timer = setTimeout(run, Math.min(ms, 50));
        return () => clearTimeout(timer);
      },
      random: () => 0.5,
      origin: app.url,
    });
  }

  async up(of = meeting): Promise<this> {
    this.#client = (await admit(app.url, of)).client;
    await this.#client.request('chat.open', { after: 0 });
    this.files.moved(true);
    return this;
  }

  /** @param begun  hears where it is */
  async put(file: Blob, given = transfer(), begun: (place: Unfiled) => void = () => undefined): Promise<Unfiled> {
    const sealed = await this.files.seal(file);
    const { key } = sealed;
    const open = async () => sealed;
    const blob = await this.files.put({
      ...given,
      ...{ open, blob: null, begun: async (where) => begun({ blob: where, key }) },
    });
    this.files.end(sealed);
    return { blob, key };
  }

  down(): void {
    this.files.moved(false);
    this.#client?.cut();
  }
}

const transfer = (progress: (share: number) => void = () => undefined, signal = new AbortController().signal) => ({
  progress,
  signal,
});
/** With a canary at its start and end. */
function contents(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(randomBytes(size));
  if (size >= 2 * CANARY.length) {
    bytes.set(Buffer.from(CANARY));
    bytes.set(Buffer.from(CANARY), size - CANARY.length);
  }
  return bytes;
}
async function sent(by: Browser, bytes: Uint8Array<ArrayBuffer>): Promise<FilePlace> {
  return { ...(await by.put(new Blob([bytes]), transfer())), size: bytes.length };
}
const received = async (by: Browser, place: FilePlace) =>
  Buffer.from(await new Blob(await by.files.get(place, transfer())).arrayBuffer());
const faultOf = (asked: Promise<unknown>) =>
  asked.then(
    () => null,
    (error: unknown) => (error instanceof FileError ? error.fault : error),
  );
const onDisk = (blob: string) => join(app.dataDir, 'blobs', blob);

describe('a file', () => {
  test.each([0, 1, 64 * KIB, 3 * 1024 * KIB + 77])('of %i bytes arrives as it was', async (size) => {
    const [ada, ben] = [await new Browser().up(), await new Browser().up()];
    const bytes = contents(size);
    const shares: number[] = [];
    const place = {
      ...(await ada.put(
        new Blob([bytes]),
        transfer((share) => shares.push(share)),
      )),
      size,
    };
    expect(shares.at(-1)).toBe(1);
    expect(shares).toEqual(shares.toSorted((a, b) => a - b));
    expect((await received(ben, place)).equals(Buffer.from(bytes))).toBe(true);
  });

  test('is known to be there, or not to be there as a whole', async () => {
    const ada = await new Browser().up();
    const { signal } = new AbortController();
    const place = await sent(ada, contents(70 * KIB));
    await ada.files.check(place.blob, signal);
    await ada.files.delete(place.blob, place.key);
    expect(await faultOf(ada.files.check(place.blob, signal))).toBe('gone');
  });

  test('lies on the server without a word of it', async () => {
    const ada = await new Browser().up();
    const place = await sent(ada, contents(200 * KIB));
    for (const name of await readdir(app.dataDir, { recursive: true })) {
      const bytes = await readFile(join(app.dataDir, name)).catch(() => Buffer.alloc(0));
      expect(bytes.includes(CANARY), name).toBe(false);
      expect(bytes.includes(place.key), name).toBe(false);
    }
  });

  test('goes on after lost connections and a server that was restarted, with the same bytes', async () => {
    const [ada, ben] = [await new Browser().up(), await new Browser().up()];
    const bytes = contents(6 * 1024 * KIB);
    let far = 0;
    const putting = ada.put(
      new Blob([bytes]),
      transfer((share) => (far = share)),
    );
    const until = async (share: number): Promise<void> => {
      while (far < share) await sleep(1);
    };
    await until(0.2);
    ada.down();
    await sleep(50);
    await ada.up();
    await until(0.5);
    ada.down();
    await app.restart();
    await ada.up();
    const place = { ...(await putting), size: bytes.length };
    await ben.up();
    expect((await received(ben, place)).equals(Buffer.from(bytes))).toBe(true);
    // What was asked for twice came out the same: no nonce has sealed two contents.
    const whole = await readFile(onDisk(place.blob));
    for (const { from, bytes: piece } of ada.asked)
      expect(whole.subarray(from, from + piece.length).equals(piece)).toBe(true);
    expect(ada.asked.length).toBeGreaterThan(12);
  });

  test('that is another on the disk by now is not sent on', async () => {
    const ada = await new Browser().up();
    const bytes = contents(3 * 1024 * KIB);
    const file = new Blob([bytes]);
    let far = 0;
    const sealing = ada.put(
      file,
      transfer((share) => (far = share)),
    );
    while (far < 0.3) await sleep(1);
    ada.down();
    const other = new Blob([contents(bytes.length)]);
    file.slice = (from, to) => other.slice(from, to);
    // So that a chunk that has gone out is asked for once more.
    const [blob] = (await readdir(join(app.dataDir, 'blobs'))).filter((name) => name.endsWith('.part'));
    await sleep(50);
    const part = await readFile(onDisk(blob!));
    await writeFile(onDisk(blob!), part.subarray(0, Math.max(0, part.length - 100)));
    await ada.up();
    expect(await faultOf(sealing)).toBe('changed');
  });

  test('that is given up is deleted, as far as it had come', async () => {
    const ada = await new Browser().up();
    const before = await readdir(join(app.dataDir, 'blobs'));
    const giving = new AbortController();
    let place: Unfiled | undefined;
    const putting = ada.put(
      new Blob([contents(4 * 1024 * KIB)]),
      transfer((share) => share > 0.3 && giving.abort(), giving.signal),
      (begun) => (place = begun),
    );
    await expect(putting).rejects.toThrow();
    await ada.files.delete(place!.blob, place!.key);
    await expect.poll(() => readdir(join(app.dataDir, 'blobs'))).toEqual(before);
  });

  test('has sent nothing before somebody has taken down where it goes', async () => {
    const ada = await new Browser().up();
    const sealed = await ada.files.seal(new Blob([contents(1024 * KIB)]));
    let takeDown = (): void => undefined;
    const begun = new Promise<string>((heard) => {
      const putting = ada.files.put({
        ...transfer(),
        ...{ open: async () => sealed, blob: null },
        begun: (blob) => new Promise((taken) => ((takeDown = taken), heard(blob))),
      });
      putting.catch(() => undefined);
    });
    const blob = await begun;
    await sleep(200);
    expect((await readFile(onDisk(`${blob}.part`))).length).toBe(0);
    takeDown();
    await expect.poll(() => readdir(join(app.dataDir, 'blobs'))).toContain(blob);
  });

  test('is deleted by the browser that has sent it, and by no other', async () => {
    const [ada, ben] = [await new Browser().up(), await new Browser().up()];
    const place = await sent(ada, contents(1000));
    // As far as ben can tell it is gone: the server says to both the same.
    await ben.files.delete(place.blob, place.key);
    expect((await received(ben, place)).length).toBe(1000);
    await ada.files.delete(place.blob, place.key);
    expect(await faultOf(ben.files.get(place, transfer()))).toBe('gone');
    await ada.files.delete(place.blob, place.key);
  });

  test('says why it cannot be taken', async () => {
    const ada = await new Browser().up();
    const first = await sent(ada, contents(1000));
    expect(await faultOf(ada.put(new Blob([new Uint8Array(102 * 1024 * KIB)]), transfer()))).toBe('refused');
    expect(await faultOf(ada.put(new Blob([new Uint8Array(90 * 1024 * KIB)]), transfer()))).toBe('full');
    expect((await received(ada, first)).length).toBe(1000);
  });
});

describe('what the server does to a file is seen:', () => {
  const spoiled: Record<string, (file: Buffer, other: Buffer) => Buffer> = {
    'a byte of its start': (file) => flip(file, 100),
    'a byte of its middle': (file) => flip(file, 500_000),
    'its last byte': (file) => flip(file, file.length - 1),
    'two chunks in each other’s place': (file) =>
      Buffer.concat([
        file.subarray(0, 184),
        file.subarray(184 + CHUNK, 184 + 2 * CHUNK),
        file.subarray(184, 184 + CHUNK),
        file.subarray(184 + 2 * CHUNK),
      ]),
    'another file in its place': (_file, other) => other,
    'a chunk of another file': (file, other) =>
      Buffer.concat([
        file.subarray(0, 184 + CHUNK),
        other.subarray(184 + CHUNK, 184 + 2 * CHUNK),
        file.subarray(184 + 2 * CHUNK),
      ]),
    'an end that is missing': (file) => file.subarray(0, 184 + 4 * CHUNK),
  };
  function flip(file: Buffer, at: number): Buffer {
    const copy = Buffer.from(file);
    copy[at]! ^= 1;
    return copy;
  }

  test.each(Object.entries(spoiled))('%s', async (what, spoil) => {
    const [ada, ben] = [await new Browser().up(), await new Browser().up()];
    const size = 10 * 64 * KIB + 5;
    const [place, other] = [await sent(ada, contents(size)), await sent(ada, contents(size))];
    await writeFile(onDisk(place.blob), spoil(await readFile(onDisk(place.blob)), await readFile(onDisk(other.blob))));
    expect(await faultOf(received(ben, place))).toBe(what === 'an end that is missing' ? 'gone' : 'forged');
  });

  test('a key that is none of it', async () => {
    const ada = await new Browser().up();
    const [place, other] = [await sent(ada, contents(1000)), await sent(ada, contents(1000))];
    expect(await faultOf(received(ada, { ...place, key: other.key }))).toBe('forged');
    expect(await faultOf(received(ada, { ...place, size: 999 }))).toBe('forged');
    // Of a length that the server does not have.
    expect(await faultOf(received(ada, { ...place, size: 2000 }))).toBe('forged');
  });
});
