/**
 * A message with a file that is sent without a connection, in a browser that is killed then: it waits on the disk, sealed, is shown when the
 * chat is opened again, and goes once there is a way. A profile on disk, a server that is really gone.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chromiumArgs, chromiumPath } from '../support/browser.ts';
import { findCanaries } from '../support/canaries.ts';
import { until } from '../support/person.ts';
import { startSignalProcess, type SignalProcess } from '../support/signalProcess.ts';

const NAME = 'canary plan of the house.bin';
const CONTENT = 'canary within the file';
const TEXT = 'canary words beside it';
const canaries = [NAME, CONTENT, TEXT].map((is) => ({ name: is, is }));
/** More than one piece on the disk. */
const SIZE = 2_500_000;

let signal: SignalProcess;
let folder: string;
const contexts = new Set<BrowserContext>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-kept-'));
  signal = await startSignalProcess({ PARLEY_DATA: join(folder, 'data') });
});
afterAll(async () => {
  await Promise.all([...contexts].map((context) => context.close()));
  await signal?.close();
  await rm(folder, { recursive: true, force: true });
});

async function launch(name: string): Promise<Page> {
  const context = await chromium.launchPersistentContext(join(folder, name), {
    executablePath: chromiumPath(),
    headless: true,
    acceptDownloads: true,
    chromiumSandbox: process.getuid?.() !== 0,
    args: chromiumArgs(),
  });
  contexts.add(context);
  context.on('close', () => contexts.delete(context));
  return context.pages()[0] ?? context.newPage();
}

async function crash(page: Page): Promise<void> {
  const context = page.context();
  const session = await context.browser()!.newBrowserCDPSession();
  // It never answers: it is gone.
  void session.send('Browser.crash').catch(() => undefined);
  await new Promise((resolve) => context.once('close', resolve));
}

async function openChat(page: Page): Promise<void> {
  await page.getByTestId('lobby-chat').click();
  await page.getByTestId('chat-input').waitFor();
}

async function send(page: Page, file: string, text: string): Promise<void> {
  await page.getByTestId('chat-attach-input').setInputFiles(file);
  await page.getByTestId('chat-input').fill(text);
  await page.getByTestId('chat-input').press('Enter');
}

const outgoing = (page: Page): Promise<string[]> => page.getByTestId('chat-outgoing').allInnerTexts();

function shows(page: Page, words: RegExp): Promise<void> {
  return until(
    async () => words.test((await outgoing(page)).join('\n')),
    async () => `what waits says ${words}; instead ${JSON.stringify(await outgoing(page))}`,
  );
}

/** All that lies in the databases of this origin: every text, and all bytes. */
async function stored(page: Page): Promise<{ keys: string[]; bytes: Buffer }> {
  const { keys, parts } = await page.evaluate(async () => {
    const done = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error!);
      });
    const found: { keys: string[]; parts: string[] } = { keys: [], parts: [] };
    const walk = (value: unknown): void => {
      if (value instanceof ArrayBuffer) return walk(new Uint8Array(value));
      if (ArrayBuffer.isView(value)) {
        const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
        let text = '';
        for (let at = 0; at < bytes.length; at += 30_000)
          text += String.fromCharCode(...bytes.subarray(at, at + 30_000));
        found.parts.push(btoa(text));
        return;
      }
      if (typeof value === 'string') return void found.parts.push(btoa(unescape(encodeURIComponent(value))));
      if (value instanceof Blob) throw new Error('a blob, as it is');
      if (typeof value === 'object' && value !== null) for (const one of Object.values(value)) walk(one);
    };
    for (const { name } of await indexedDB.databases()) {
      const database = await done(indexedDB.open(name!));
      for (const table of database.objectStoreNames) {
        const store = database.transaction(table).objectStore(table);
        const [names, values] = await Promise.all([done(store.getAllKeys()), done(store.getAll())]);
        found.keys.push(...names.map(String));
        walk(names.map(String));
        walk(values);
      }
      database.close();
    }
    return found;
  });
  return { keys, bytes: Buffer.concat(parts.map((part) => Buffer.from(part, 'base64'))) };
}

/** As the browser has it on its disk. */
async function onDisk(name: string): Promise<Buffer> {
  const all = await readdir(join(folder, name, 'Default/IndexedDB'), { recursive: true, withFileTypes: true });
  const files = all.filter((one) => one.isFile()).map((one) => readFile(join(one.parentPath, one.name)));
  return Buffer.concat(await Promise.all(files));
}

const kept = (keys: string[]): string[] => keys.filter((key) => /^value (sent|piece) /.test(key));
const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

test('a file that is sent offline waits on the disk, sealed, through a killed browser, and arrives once', async () => {
  const content = Buffer.concat([Buffer.from(CONTENT), randomBytes(SIZE), Buffer.from(CONTENT)]);
  await writeFile(join(folder, NAME), content);
  let page = await launch('Anna');
  await page.goto(signal.origin);
  await page.getByTestId('home-create').click();
  await page.getByTestId('lobby-name').fill('Anna');
  const link = page.url();
  await openChat(page);
  await until(
    () =>
      page.evaluate(async () => (await caches.match('/build.json', { cacheName: 'parley last build' })) !== undefined),
    () => 'the build is kept whole',
  );
  await signal.kill();
  await send(page, join(folder, NAME), TEXT);
  await shows(page, /Kept on this device/);
  const { keys, bytes } = await stored(page);
  expect(kept(keys).map((key) => key.split(' ')[1])).toEqual(['piece', 'piece', 'piece', 'sent']);
  expect(bytes.length).toBeGreaterThan(SIZE);
  expect(findCanaries(bytes, canaries)).toEqual([]);
  await crash(page);
  const disk = await onDisk('Anna');
  expect(disk.length).toBeGreaterThan(SIZE);
  expect(findCanaries(disk, canaries)).toEqual([]);

  // Still no server.
  page = await launch('Anna');
  await page.goto(link);
  await openChat(page);
  await shows(page, /Kept on this device[^]*canary words beside it[^]*canary plan of the house\.bin[^]*2\.5 MB/);
  expect(await page.getByTestId('chat-file').count()).toBe(0);
  // One that is given up is gone, here too.
  await send(page, join(folder, NAME), 'not this one');
  await shows(page, /not this one/);
  await page.getByTestId('chat-outgoing').last().getByTestId('chat-outgoing-stop').click();
  await page.reload();
  await openChat(page);
  await shows(page, /canary words/);
  expect(await outgoing(page)).toHaveLength(1);

  await signal.start();
  await page.getByTestId('chat-file').waitFor({ timeout: 60_000 });
  expect(await outgoing(page)).toEqual([]);
  await until(
    async () => /sent/i.test((await page.getByTestId('chat-delivery').allInnerTexts()).at(-1) ?? ''),
    () => 'it is sent',
  );
  const after = await stored(page);
  expect(kept(after.keys)).toEqual([]);

  const other = await launch('Ben');
  await other.goto(link);
  await openChat(other);
  await other.getByTestId('chat-file').waitFor();
  expect(await other.getByTestId('chat-text').allInnerTexts()).toEqual([TEXT]);
  const saving = other.waitForEvent('download');
  await other.getByTestId('chat-file-save').click();
  const download = await saving;
  expect(download.suggestedFilename()).toBe(NAME);
  expect(hash(await readFile(await download.path()))).toBe(hash(content));
  expect(await other.getByTestId('chat-alarm').count()).toBe(0);
  // One upload, and nothing of what was given up.
  expect(await readdir(join(folder, 'data/blobs'))).toHaveLength(1);
});
