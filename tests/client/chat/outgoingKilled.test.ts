/**
 * Pages that are killed with a message on its way: at each step of the disk and of the server, before it has happened and right after.
 * What a page has shown as kept arrives once, with its files; and nothing is left of it, here or on the server.
 */
import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { FileError, type FilePut, type Files } from '../../../client/chat/files.ts';
import { OutgoingFiles } from '../../../client/chat/outgoing.ts';
import type { Unfiled } from '../../../client/chat/unfiling.ts';
import type { FileBody } from '../../../client/chat/bodies.ts';
import type { ChatStore } from '../../../client/e2ee/chat/shelf.ts';
import { memoryChatStore } from '../../../client/e2ee/chat/store.ts';
import { base64url, concat } from '../../../crypto/bytes.ts';
import { random } from '../../../crypto/primitives.ts';
import { numbers } from '../../crypto/seeded.ts';
import { accessOf, Device, Log, MEETING, person, type Person, portOf, Time } from './world.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** Of an upload's request. */
const PART = 400_000;
const LARGE = new Uint8Array(randomBytes(1_050_000));
const SMALL = new Uint8Array(randomBytes(77));
/** Sent, each with two files. */
const TEXTS = ['first', 'second'];

let log: Log;
let time: Time;
let access: ReturnType<typeof accessOf>;
let [ada, ben] = [] as unknown as [Person, Person];
/** What the server has. */
let blobs: Map<string, { bytes: Bytes; size: number }>;

beforeEach(async () => {
  [log, time, access, blobs] = [new Log(), new Time(), accessOf(), new Map()];
  [ada, ben] = [await person('Ada'), await person('Ben')];
});

/** Of one page: after so many steps nothing that it does has an effect. */
class Life {
  steps = 0;
  isOver = false;
  readonly #last: number;
  readonly #isDone: boolean;

  /** @param isDone  its last step still happens, and it does not hear of that */
  constructor(last = Infinity, isDone = false) {
    this.#last = last;
    this.#isDone = isDone;
  }

  async step<T>(act: () => T | Promise<T>): Promise<T> {
    this.#live();
    const isLast = ++this.steps === this.#last;
    if (isLast && !this.#isDone) this.isOver = true;
    this.#live();
    const result = await act();
    if (isLast) this.isOver = true;
    this.#live();
    return result;
  }

  #live(): void {
    if (this.isOver) throw new Error('its page is gone');
  }
}

function mortal(store: ChatStore, life: Life): ChatStore {
  return {
    ...store,
    put: (...given) => life.step(() => store.put(...given)),
    add: (...given) => life.step(() => store.add(...given)),
    delete: (...given) => life.step(() => store.delete(...given)),
  };
}

interface Page {
  readonly device: Device;
  readonly outgoing: OutgoingFiles;
}

/** @param mortals  null: it shares names that tabs hold with others of its store */
async function open(store: ChatStore, mortals: Life | null = null, who = ada): Promise<Page> {
  const life = mortals ?? new Life();
  const port = () => portOf(device.keeper);
  const online = async (): Promise<void> => {
    while (!device.online) await new Promise<void>((resolve) => void time.after(100, resolve));
  };
  const check = async (blob: string): Promise<void> => {
    await online();
    const lies = blobs.get(blob);
    if (lies === undefined || lies.bytes.length < lies.size) throw new FileError('gone');
  };
  const put = async ({ open, begun, signal, blob: before }: FilePut): Promise<string> => {
    const { handle, bytes: size } = await open();
    let blob = before;
    if (blob === null || !blobs.has(blob)) {
      const made = (blob = base64url(random(16)));
      await life.step(() => blobs.set(made, { bytes: new Uint8Array(0), size }));
      await begun(made);
    }
    const lies = blobs.get(blob)!;
    while (lies.bytes.length < size) {
      await online();
      signal.throwIfAborted();
      const from = lies.bytes.length;
      const { bytes } = await port().call('chat.sealed', { handle, from, to: from + PART });
      await life.step(() => (lies.bytes = concat(lies.bytes, bytes)));
    }
    return blob;
  };
  const files = {
    moved: () => undefined,
    seal: (file: Blob) => port().call('chat.sealFile', { file }),
    end: () => undefined,
    ...{ put, check },
    delete: (blob: string) => life.step(() => void blobs.delete(blob)),
  } as unknown as Files;
  const shared = { log, time, access, random: () => 0.5 };
  const device = new Device({ ...shared, person: who, files, store: mortals ? mortal(store, life) : store });
  await device.start();
  const { chat } = device;
  const outgoing = new OutgoingFiles({
    ...{ port: port(), files, readPicture: async () => null, changed: () => undefined },
    unfile: (file: Unfiled) => chat.unfile([file]),
    isOnline: () => device.online,
    write: async ({ text, to }, bodies, sent) => {
      await chat.write([{ is: 'say', text, files: bodies }], to, sent);
      return true;
    },
    now: () => time.now++,
    after: (ms, run) => time.after(ms, run),
  });
  await outgoing.takeUp();
  return { device, outgoing };
}

function send({ outgoing }: Page): void {
  for (const text of TEXTS) {
    outgoing.add([new File([LARGE], 'large'), new File([SMALL], 'small')]);
    outgoing.send({ text, replyTo: null, to: null });
  }
}

function end({ device, outgoing }: Page): void {
  outgoing.close();
  device.kill();
}

/** What others could not lose by this page's end. */
function safe(page: Page): string[] {
  return [...page.device.texts, ...waiting(page).flatMap(({ kept, text }) => (kept === 'yes' ? [text] : []))];
}

function waiting({ outgoing }: Page) {
  return outgoing.outgoing((id) => ({ id, name: '', self: false, here: false, hasCard: false }));
}

/** Ben, who has never been here, and the contents of what he reads. */
async function read(): Promise<{ texts: string[]; blobs: string[] }> {
  const reader = await new Device({ person: ben, log, time, access, random: () => 0.5 }).start();
  reader.connect();
  await time.pass(5000);
  const port = portOf(reader.keeper);
  const opened = async ({ blob, key, size }: FileBody): Promise<Bytes> => {
    const { handle } = await port.call('chat.openFile', { key, size });
    const { bytes, isWhole } = await port.call('chat.opened', { handle, sealed: blobs.get(blob)!.bytes });
    expect(isWhole).toBe(true);
    return bytes;
  };
  const { said } = reader.chat.thread;
  for (const { files } of said) {
    const [large, small] = await Promise.all(files.map(opened));
    expect([Buffer.compare(large!, LARGE), Buffer.compare(small!, SMALL)]).toEqual([0, 0]);
  }
  expect(reader.alarms).toEqual([]);
  reader.kill();
  return { texts: reader.texts, blobs: said.flatMap(({ files }) => files.map(({ blob }) => blob)) };
}

/** Pages of one browser, each killed at its time, the last one not. @param isOnline  from the start, or only after a while */
async function live(lives: readonly Life[], isOnline: boolean): Promise<Life> {
  [log, time, blobs] = [new Log(), new Time(), new Map()];
  const store = memoryChatStore();
  const [promised, last] = [new Set<string>(), new Life()];
  let isSent = false;
  for (const life of [...lives, last]) {
    const page = await open(store, life).catch(() => null);
    if (page === null) continue;
    if (isOnline) page.device.connect();
    if (!isSent) send(page);
    isSent = true;
    for (let second = 0; second < 20 && !life.isOver && (second < 5 || waiting(page).length > 0); second++) {
      await time.pass(1000);
      if (second === 3 && !isOnline) page.device.connect();
    }
    if (life !== last) for (const text of safe(page)) promised.add(text);
    end(page);
    await time.pass(1000);
  }
  const found = await read();
  expect(found.texts).toEqual(TEXTS.filter((text) => found.texts.includes(text)));
  expect([...promised].filter((text) => !found.texts.includes(text))).toEqual([]);
  const left = [...(await store.names(`sent ${MEETING}`)), ...(await store.names(`piece ${MEETING}`))];
  expect(left).toEqual([]);
  // Of what no page has shown as kept an upload may stay, as of anything that was only attached: the server's time deletes it.
  if (promised.size === TEXTS.length || lives.length === 0)
    expect([...blobs.keys()].sort()).toEqual(found.blobs.toSorted());
  return last;
}

describe('killed once, at each step', () => {
  test.each([
    ['online', false],
    ['online', true],
    ['offline', false],
    ['offline', true],
  ] as const)('%s, and its last one done: %s', { timeout: 60_000 }, async (how, isDone) => {
    // Without a connection the last steps are the same.
    const every = process.env['PARLEY_SOAK'] ? 1 : how === 'online' ? 2 : 6;
    const { steps } = await live([], how === 'online');
    expect(steps).toBeGreaterThan(20);
    for (let step = isDone ? 2 : 1; step <= steps; step += every) {
      await live([new Life(step, isDone)], how === 'online');
    }
  });
});

test('killed again and again', { timeout: 60_000 }, async () => {
  const draw = numbers(20);
  for (let run = 0; run < (process.env['PARLEY_SOAK'] ? 100 : 8); run++) {
    const lives = Array.from({ length: 4 }, () => new Life(5 + Math.floor(draw() * 20), draw() < 0.5));
    await live(lives, draw() < 0.5);
  }
});

test('of two tabs one goes on with it, and the other when that one is gone; what is given up is nobody’s', async () => {
  const store = memoryChatStore();
  const [first, second] = [await open(store), await open(store)];
  send(first);
  await time.pass(40_000);
  expect([safe(first), safe(second)]).toEqual([TEXTS, []]);
  end(first);
  // It looks for what others leave behind.
  await time.pass(40_000);
  expect(safe(second)).toEqual(TEXTS);
  for (const { id } of waiting(second)) second.outgoing.giveUp(id);
  await time.pass(1000);
  expect([await store.names('sent'), await store.names('piece')]).toEqual([[], []]);
  second.device.connect();
  await time.pass(20_000);
  end(second);
  expect((await read()).texts).toEqual([]);
  expect(blobs.size).toBe(0);
});

test('what was up and is not kept, and has left the server meanwhile, is named by no message', async () => {
  const store = memoryChatStore();
  const first = await open(store);
  first.device.connect();
  first.outgoing.add([new File([SMALL], 'small')]);
  await time.pass(5000);
  first.device.disconnect();
  first.outgoing.add([new File([LARGE], 'large')]);
  first.outgoing.send({ text: 'both', replyTo: null, to: null });
  await time.pass(1000);
  expect(safe(first)).toEqual(['both']);
  end(first);
  blobs.clear();
  const second = await open(store);
  second.device.connect();
  await time.pass(20_000);
  expect(second.device.texts).toEqual([]);
  expect(waiting(second)).toMatchObject([
    { text: 'both', failed: true, files: [{ state: { at: 'failed', why: 'gone' } }, { state: { at: 'ready' } }] },
  ]);
  end(second);
});

test('what another tab has removed with its meeting is not lost without a word', async () => {
  const page = await open(memoryChatStore());
  send(page);
  await time.pass(5000);
  expect(safe(page)).toEqual(TEXTS);
  await page.device.store.forget(MEETING);
  page.device.connect();
  await time.pass(20_000);
  expect(safe(page)).toEqual(TEXTS);
  end(page);
});

test('a message for which there is no room leaves the room that there is to others', async () => {
  const store = memoryChatStore();
  const sizes = new Map<string, number>();
  const room = 2_200_000;
  const full: ChatStore = {
    ...store,
    async put(name, record, gone = []) {
      for (const one of sizes.keys()) if (gone.some((beginning) => one.startsWith(beginning))) sizes.delete(one);
      const others = [...sizes].reduce((sum, [one, size]) => (one === name ? sum : sum + size), 0);
      if (others + record.sealed.byteLength > room) throw new DOMException('no room', 'QuotaExceededError');
      sizes.set(name, record.sealed.byteLength);
      return store.put(name, record, gone);
    },
    delete: async (beginnings) => {
      for (const one of sizes.keys()) if (beginnings.some((beginning) => one.startsWith(beginning))) sizes.delete(one);
      return store.delete(beginnings);
    },
  };
  const page = await open(full);
  page.outgoing.add([new File([LARGE, LARGE, LARGE], 'large')]);
  page.outgoing.send({ text: 'large', replyTo: null, to: null });
  await time.pass(5000);
  expect(waiting(page).map(({ kept }) => kept)).toEqual(['no']);
  expect([await store.names('piece')]).toEqual([[]]);
  page.outgoing.add([new File([LARGE], 'other')]);
  page.outgoing.send({ text: 'other', replyTo: null, to: null });
  await time.pass(5000);
  expect(waiting(page).map(({ kept }) => kept)).toEqual(['no', 'yes']);
  end(page);
});

test('what cannot be read of one message keeps no other back', async () => {
  const store = memoryChatStore();
  const first = await open(store);
  send(first);
  await time.pass(5000);
  end(first);
  let isBroken = true;
  const [, name] = await store.names('sent');
  const second = await open({
    ...store,
    get: async (asked) => {
      if (isBroken && asked === name) throw new Error('not read');
      return store.get(asked);
    },
  });
  await time.pass(5000);
  isBroken = false;
  await time.pass(60_000);
  expect(safe(second)).toEqual(TEXTS);
  end(second);
});

test('another identity of this browser sends nothing of what waits, and keeps nothing of it', async () => {
  const store = memoryChatStore();
  const first = await open(store);
  send(first);
  await time.pass(5000);
  expect(safe(first)).toEqual(TEXTS);
  end(first);
  const stranger = await open(store, null, await person('Ada'));
  stranger.device.connect();
  await time.pass(20_000);
  expect([stranger.device.texts, waiting(stranger)]).toEqual([[], []]);
  expect([await store.names('sent'), await store.names('piece')]).toEqual([[], []]);
  end(stranger);
});

test('a meeting that is removed from this browser takes with it what waits in it', async () => {
  const store = memoryChatStore();
  const page = await open(store);
  send(page);
  await time.pass(1000);
  expect([(await store.names('sent')).length, (await store.names('piece')).length]).toEqual([2, 6]);
  end(page);
  await store.forget(MEETING);
  expect([await store.names('sent'), await store.names('piece')]).toEqual([[], []]);
  expect(safe(await open(store))).toEqual([]);
});

test('what a host deletes before its message is written goes up once more', async () => {
  const page = await open(memoryChatStore());
  page.device.connect();
  page.outgoing.add([new File([LARGE], 'large'), new File([SMALL], 'small')]);
  await time.pass(5000);
  expect(blobs.size).toBe(2);
  blobs.clear();
  page.outgoing.cleared();
  page.outgoing.send({ text: 'after it', replyTo: null, to: null });
  await time.pass(20_000);
  end(page);
  const found = await read();
  expect([found.texts, found.blobs.length]).toEqual([['after it'], 2]);
});
