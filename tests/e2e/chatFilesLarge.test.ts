/**
 * The largest file: 100 MiB from one browser to another, with the server killed in the middle; and one byte more, which is refused before
 * anything of it is read. What pages grow by meanwhile is said, and not judged: most of it waits to be collected.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, readdir, readFile, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Person, until } from '../support/person.ts';
import { type SignalProcess, startSignalProcess } from '../support/signalProcess.ts';

const MIB = 1024 * 1024;
const SIZE = 100 * MIB;

let signal: SignalProcess;
let folder: string;
const people: Person[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-large-'));
  signal = await startSignalProcess({ PARLEY_DATA: join(folder, 'data') });
});
afterAll(async () => {
  await Promise.all(people.map((person) => person.close()));
  await signal?.close();
  await rm(folder, { recursive: true, force: true });
});

async function enter(name: 'Anna' | 'Ben', link: string | null): Promise<Person> {
  const person = await Person.create(name, signal.origin, { noDevices: true });
  people.push(person);
  if (link === null) await person.createMeeting(signal.origin);
  else await person.open(link);
  await person.by('lobby-name').fill(name);
  await person.by('lobby-chat').click();
  await person.shows('chat-input');
  return person;
}

async function fill(path: string): Promise<void> {
  const file = await open(path, 'w');
  for (let at = 0; at < SIZE; at += MIB) await file.write(randomBytes(MIB));
  await file.close();
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** Most of a page's own memory from now on, bytes over what it is now: of its process, with its worker. */
async function watchMemory(person: Person): Promise<() => Promise<number>> {
  const session = await person.browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  const pages = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id);
  const now = async (): Promise<number> => {
    const all = pages.map(async (id) => {
      const status = await readFile(`/proc/${id}/status`, 'utf8').catch(() => '');
      return Number(/RssAnon:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
    });
    return (await Promise.all(all)).reduce((sum, one) => sum + one, 0);
  };
  const before = await now();
  let most = before;
  const timer = setInterval(() => void now().then((is) => (most = Math.max(most, is))), 100);
  return async () => {
    clearInterval(timer);
    expect(before).toBeGreaterThan(0);
    return most - before;
  };
}

const share = (person: Person): Promise<number> =>
  person.page.evaluate(
    () => document.querySelector<HTMLProgressElement>('[data-testid=chat-staged] progress')?.value ?? 0,
  );

test('100 MiB arrive as they were, though the server was killed on the way', { timeout: 180_000 }, async () => {
  const path = join(folder, 'large.bin');
  await fill(path);
  const anna = await enter('Anna', null);
  const ben = await enter('Ben', anna.page.url());
  const begun = Date.now();
  const grownSending = await watchMemory(anna);
  await anna.by('chat-attach-input').setInputFiles(path);
  const shares = new Set<number>();
  const past = (most: number) =>
    until(
      async () => {
        const far = await share(anna);
        shares.add(far);
        return far > most;
      },
      () => `it comes past ${most}; instead ${Math.max(...shares)}`,
    );
  await past(0.2);
  await signal.kill();
  const [unfinished] = (await readdir(join(folder, 'data/blobs'))).filter((name) => name.endsWith('.part'));
  await anna.by('chat-input').press('Enter');
  await anna.page.getByText('Kept on this device').waitFor({ timeout: 60_000 });
  const kept = Date.now();
  await signal.start();
  await ben.by('chat-file').waitFor({ timeout: 60_000 });
  const sent = Date.now();
  const sending = await grownSending();
  // The very upload that was begun.
  expect(await readdir(join(folder, 'data/blobs'))).toEqual([unfinished!.replace('.part', '')]);
  expect(shares.size).toBeGreaterThan(2);
  const grownFetching = await watchMemory(ben);
  const saving = ben.page.waitForEvent('download');
  await ben.by('chat-file-save').click();
  const saved = await (await saving).path();
  const fetching = await grownFetching();
  expect(await hashOf(saved)).toBe(await hashOf(path));
  console.info(
    `100 MiB: kept after ${kept - begun} ms, sent in ${sent - begun} ms, fetched in ${Date.now() - sent} ms; pages grew by ${Math.round(sending / MIB)} and ${Math.round(fetching / MIB)} MiB`,
  );
});

test('one byte more is refused in words, and nothing of it is read', async () => {
  const anna = people[0]!;
  const path = join(folder, 'too large.bin');
  // It has no bytes on the disk.
  await (await open(path, 'w')).close();
  await truncate(path, SIZE + 1);
  const asked: string[] = [];
  anna.page.on('request', (request) => void asked.push(request.url()));
  await anna.by('chat-attach-input').setInputFiles(path);
  await anna.page.getByText('Larger than 100 MB: too large to send here.').waitFor();
  await anna.by('chat-input').press('Enter');
  await anna.page.waitForTimeout(300);
  expect(await anna.by('chat-outgoing').count()).toBe(0);
  expect(asked.filter((url) => url.includes('/api/blobs'))).toEqual([]);
});
