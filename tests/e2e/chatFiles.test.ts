/** Files in the chat of real browsers: a picture that is pasted, and 20 MB on their way while the server is killed. It has read none of it. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Download } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findCanaries } from '../support/canaries.ts';
import { Person, until } from '../support/person.ts';
import { type SignalProcess, startSignalProcess } from '../support/signalProcess.ts';

const MB = 1_000_000;
const NAME = 'canary of a contract.pdf';
const CANARY = 'canary inside of a file';
const PLACE = 'canary 52.5163N 13.3777E';
const canaries = [NAME, CANARY, PLACE, 'canary picture', 'canary words'].map((is) => ({ name: is, is }));

let signal: SignalProcess;
let folder: string;
const people: Person[] = [];
/** All that went over the wire, each way. */
const wire: Buffer[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-files-'));
  signal = await startSignalProcess({ PARLEY_DATA: join(folder, 'data') });
});
afterAll(async () => {
  await Promise.all(people.map((person) => person.close()));
  await signal?.close();
  await rm(folder, { recursive: true, force: true });
});

async function writer(name: 'Anna' | 'Ben', link: string | null): Promise<Person> {
  const person = await Person.create(name, signal.origin, { noDevices: true });
  people.push(person);
  const { page, context } = person;
  page.on('websocket', (socket) => {
    for (const event of ['framesent', 'framereceived'] as const)
      socket.on(event as 'framesent', ({ payload }) => void wire.push(Buffer.from(payload)));
  });
  context.on('request', (request) => {
    const body = request.postDataBuffer();
    wire.push(Buffer.from(`${request.url()} ${JSON.stringify(request.headers())}`), ...(body ? [body] : []));
  });
  if (link === null) await person.createMeeting(signal.origin);
  else await person.open(link);
  await person.by('lobby-name').fill(name);
  await person.by('lobby-chat').click();
  await person.shows('chat-input');
  return person;
}

/** A photograph with a place in it, as phones write them, from the clipboard. */
function paste(person: Person): Promise<void> {
  return person.page.evaluate(async (place) => {
    const canvas = new OffscreenCanvas(1600, 1200);
    const context = canvas.getContext('2d')!;
    for (let i = 0; i < 400; i++) {
      context.fillStyle = `hsl(${i * 7} 60% 50%)`;
      context.fillRect((i * 97) % 1600, (i * 61) % 1200, 160, 120);
    }
    const jpeg = new Uint8Array(await (await canvas.convertToBlob({ type: 'image/jpeg' })).arrayBuffer());
    // APP1 behind the start of image (JEITA CP-3451, 4.7.2).
    const text = new TextEncoder().encode(`Exif\0\0${place}`);
    const app1 = Uint8Array.of(0xff, 0xe1, (text.length + 2) >> 8, (text.length + 2) & 255, ...text);
    const photo = new File([jpeg.slice(0, 2), app1, jpeg.slice(2)], 'canary picture.jpg', { type: 'image/jpeg' });
    const data = new DataTransfer();
    data.items.add(photo);
    const event = new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true });
    document.querySelector('[data-testid=chat-input]')!.dispatchEvent(event);
  }, PLACE);
}

async function contentOf(saving: Promise<Download>): Promise<Buffer> {
  return readFile(await (await saving).path());
}
const blobs = (): Promise<string[]> => readdir(join(folder, 'data/blobs'));
const share = (person: Person): Promise<number> =>
  person.page.evaluate(
    () => document.querySelector<HTMLProgressElement>('[data-testid=chat-staged] progress')?.value ?? 0,
  );

test('a pasted picture comes without its place, and 20 MB come whole though the server was killed in the middle; it has read nothing, and what is deleted is gone', async () => {
  const anna = await writer('Anna', null);
  const ben = await writer('Ben', anna.page.url());

  await paste(anna);
  await anna.by('chat-input').fill('canary words');
  await anna.page.getByText('Ready to send').waitFor();
  await anna.by('chat-input').press('Enter');
  await ben.by('chat-picture').click();
  await ben.shows('chat-viewer-whole');
  await until(
    () => ben.by('chat-viewer-whole').evaluate((image: HTMLImageElement) => image.naturalWidth === 1600),
    () => 'the picture is drawn, as large as it was',
  );
  const saving = ben.page.waitForEvent('download');
  await ben.by('chat-viewer-save').click();
  expect((await saving).suggestedFilename()).toBe('canary picture.jpg');
  const photo = await contentOf(saving);
  expect(photo.subarray(0, 2)).toEqual(Buffer.of(0xff, 0xd8));
  expect(photo.includes(PLACE)).toBe(false);
  await ben.page.keyboard.press('Escape');

  const content = Buffer.concat([Buffer.from(CANARY), randomBytes(20 * MB), Buffer.from(CANARY)]);
  await writeFile(join(folder, NAME), content);
  // A line on which it takes a few seconds: else it is there before anybody can look.
  const line = await anna.context.newCDPSession(anna.page);
  await line.send('Network.enable');
  const speed = (uploadThroughput: number) =>
    line.send('Network.emulateNetworkConditions', {
      offline: false,
      latency: 10,
      downloadThroughput: -1,
      uploadThroughput,
    });
  await speed(5 * MB);
  await anna.by('chat-attach-input').setInputFiles(join(folder, NAME));
  await until(
    async () => (await share(anna)) > 0.2,
    async () => `a fifth is up; instead ${await share(anna)}`,
  );
  await signal.kill();
  const unfinished = (await blobs()).filter((name) => name.endsWith('.part'));
  expect(unfinished).toHaveLength(1);
  // She sends it off, and it goes when it can.
  await anna.by('chat-input').press('Enter');
  await anna.shows('chat-outgoing');
  await signal.start();
  await speed(-1);
  await ben.shows('chat-file');
  expect(await anna.by('chat-outgoing').count()).toBe(0);
  // The very upload that was begun.
  expect(await blobs()).toContain(unfinished[0]!.replace('.part', ''));
  const fetching = ben.page.waitForEvent('download');
  await ben.by('chat-file-save').click();
  const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
  expect(hash(await contentOf(fetching))).toBe(hash(content));
  expect((await fetching).suggestedFilename()).toBe(NAME);

  const kept = await readdir(join(folder, 'data'), { recursive: true, withFileTypes: true });
  const disk = kept.filter((one) => one.isFile()).map((one) => readFile(join(one.parentPath, one.name)));
  const heard = Buffer.concat(wire);
  expect(heard.length).toBeGreaterThan(20 * MB);
  for (const haystack of [heard, Buffer.concat(await Promise.all(disk))])
    expect(findCanaries(haystack, canaries)).toEqual([]);

  const before = await blobs();
  await anna.by('chat-message').last().hover();
  await anna.by('chat-message').last().getByTestId('chat-more').click();
  await anna.by('chat-delete').click();
  await anna.by('confirm-action').click();
  await until(
    async () => (await blobs()).length === before.length - 1,
    async () => `its file leaves the server; instead ${JSON.stringify(await blobs())}`,
  );
  for (const person of people) expect(person.watched.cspViolations).toEqual([]);
});
