/**
 * The small picture that goes along in a sealed entry: what was attached, small, without what a camera wrote; and what a member's changed
 * program puts in its place, which nobody's browser shows as anything but a picture, or not at all.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Person, until } from '../support/person.ts';
import { type SignalProcess, startSignalProcess } from '../support/signalProcess.ts';

const PLACE = 'canary 52.5163N 13.3777E';

let signal: SignalProcess;
let [anna, ben] = [] as unknown as [Person, Person];

beforeAll(async () => {
  signal = await startSignalProcess();
  anna = await Person.create('Anna', signal.origin, { noDevices: true });
  ben = await Person.create('Ben', signal.origin, { noDevices: true });
  await anna.createMeeting(signal.origin);
  await ben.open(anna.page.url());
  for (const [person, name] of [
    [anna, 'Anna'],
    [ben, 'Ben'],
  ] as const) {
    await person.by('lobby-name').fill(name);
    await person.by('lobby-chat').click();
    await person.shows('chat-input');
  }
}, 120_000);
afterAll(async () => {
  await Promise.all([anna, ben].map((person) => person?.close()));
  await signal?.close();
});

/** Four fields of one colour each, and a place, as phones write it. */
function paste(name: string): Promise<void> {
  return anna.page.evaluate(
    async ([called, place]) => {
      const canvas = new OffscreenCanvas(1600, 1200);
      const context = canvas.getContext('2d')!;
      for (const [i, colour] of ['#d01010', '#10b010', '#1010d0', '#e0e0e0'].entries()) {
        context.fillStyle = colour;
        context.fillRect((i % 2) * 800, Math.floor(i / 2) * 600, 800, 600);
      }
      const jpeg = new Uint8Array(await (await canvas.convertToBlob({ type: 'image/jpeg' })).arrayBuffer());
      // APP1 behind the start of image (JEITA CP-3451, 4.7.2).
      const text = new TextEncoder().encode(`Exif\0\0${place}`);
      const app1 = Uint8Array.of(0xff, 0xe1, (text.length + 2) >> 8, (text.length + 2) & 255, ...text);
      const data = new DataTransfer();
      data.items.add(new File([jpeg.slice(0, 2), app1, jpeg.slice(2)], called, { type: 'image/jpeg' }));
      const event = new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true });
      document.querySelector('[data-testid=chat-input]')!.dispatchEvent(event);
    },
    [name, PLACE] as const,
  );
}

async function send(name: string): Promise<void> {
  await paste(name);
  await anna.page.getByText('Ready to send').waitFor();
  await anna.by('chat-input').press('Enter');
}

/** Application data and comments of a JPEG (ITU-T T.81, B.2.4): marker, and what it begins with. */
function notesIn(jpeg: Buffer): string[] {
  const notes: string[] = [];
  for (let at = 2; jpeg[at + 1] !== 0xda; at += 2 + jpeg.readUInt16BE(at + 2)) {
    const marker = jpeg[at + 1]!;
    if ((marker >= 0xe0 && marker <= 0xef) || marker === 0xfe)
      notes.push(`${marker} ${jpeg.subarray(at + 4, jpeg.indexOf(0, at + 4)).toString('latin1')}`);
  }
  return notes;
}

test('it is what was attached, small, and says nothing of where', async () => {
  await send('fields.jpg');
  const image = ben.by('chat-picture').locator('img');
  await image.waitFor();
  const src = (await image.getAttribute('src'))!;
  expect(src).toMatch(/^data:image\/jpeg;base64,/);
  const bytes = Buffer.from(src.split(',')[1]!, 'base64');
  expect(bytes.length).toBeLessThanOrEqual(6 * 1024);
  for (const word of ['Exif', PLACE]) expect(bytes.includes(word), word).toBe(false);
  // Cameras write into APP1 and others: here is what a browser writes, a format and a colour space, and nothing else.
  for (const noted of notesIn(bytes)) expect(['224 JFIF', '226 ICC_PROFILE']).toContain(noted);
  const { width, height, colours } = await image.evaluate(async (element: HTMLImageElement) => {
    await element.decode();
    const { naturalWidth, naturalHeight } = element;
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [naturalWidth, naturalHeight];
    const context = canvas.getContext('2d')!;
    context.drawImage(element, 0, 0);
    const at = (x: number, y: number) => [...context.getImageData(naturalWidth * x, naturalHeight * y, 1, 1).data];
    const all = [at(0.25, 0.25), at(0.75, 0.25), at(0.25, 0.75), at(0.75, 0.75)];
    return { width: naturalWidth, height: naturalHeight, colours: all };
  });
  expect([width, height]).toEqual([320, 240]);
  const drawn = [
    [0xd0, 0x10, 0x10],
    [0x10, 0xb0, 0x10],
    [0x10, 0x10, 0xd0],
    [0xe0, 0xe0, 0xe0],
  ];
  for (const [i, colour] of drawn.entries())
    for (const [channel, value] of colour.entries())
      expect(Math.abs(colours[i]![channel]! - value), `field ${i}, channel ${channel}`).toBeLessThan(24);
});

test('what a member puts in its place is a small picture or is not shown', async () => {
  const shown = await ben.by('chat-picture').count();
  await anna.page.evaluate(() => {
    const script = 'window.broken=1;parent.broken=1';
    // As far as its frame says, of 65,500 × 65,500.
    const frame = [0xff, 0xc0, 0, 17, 8, 0xff, 0xdc, 0xff, 0xdc, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1];
    const huge = Uint8Array.of(0xff, 0xd8, ...frame, 0xff, 0xda, 0, 2, 1, 2, 3, 0xff, 0xd9);
    const hostile: (string | Uint8Array<ArrayBuffer>)[] = [
      `<svg xmlns="http://www.w3.org/2000/svg" onload="${script}"><script>${script}</script><image href="https://evil.example/x.png"/></svg>`,
      `<!doctype html><script>${script}</script>`,
      `"><img src=x onerror=${script}>`,
      huge,
    ];
    const write = OffscreenCanvas.prototype.convertToBlob;
    OffscreenCanvas.prototype.convertToBlob = function (options) {
      const isSmall = options?.type === 'image/jpeg' && this.width <= 320;
      const next = isSmall ? hostile.shift() : undefined;
      return next === undefined ? write.call(this, options) : Promise.resolve(new Blob([next]));
    };
  });
  for (let i = 0; i < 4; i++) await send(`hostile ${i}.jpg`);
  // As files, under their names, and nothing is drawn of them.
  await until(
    async () => (await ben.by('chat-file').count()) === 4,
    async () => `four files are shown; instead ${await ben.by('chat-file').count()}`,
  );
  expect(await ben.by('chat-picture').count()).toBe(shown);
  const images = await ben
    .by('chat-list')
    .locator('img')
    .evaluateAll((all) => all.map((one) => (one as HTMLImageElement).src));
  expect(images.every((src) => src.startsWith('data:image/jpeg;base64,'))).toBe(true);
  expect(images).toHaveLength(shown);
  for (const { page, watched } of [anna, ben]) {
    expect(await page.evaluate(() => (window as { broken?: unknown }).broken)).toBeUndefined();
    expect([watched.cspViolations, watched.outsideRequests]).toEqual([[], []]);
  }
});
