/**
 * The instruments of the other browser tests, and the facts of the browser that the product leans on; without any of our code.
 *
 * A test that looks for unsealed pictures proves nothing unless it would have seen them: here it does.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Browser } from 'playwright-core';
import { launchBrowser, openContext } from '../support/browser.ts';
import type { Film } from '../support/media/films.ts';
import { makeFilm } from '../support/media/films.ts';
import { cellsOf, decodePicture } from '../support/media/picture.ts';
import { isTone, orderOf } from '../support/media/readers.ts';
import type { Tone, Watch } from '../support/media/readers.ts';
import { servePage } from '../support/pageServer.ts';

/** Flips every bit but VP8's first byte; an empty frame (DTX) stays empty. Stands for sealing, where only "sealed or not" matters. */
const SCRAMBLER = `
let passed = 0;
onrtctransform = ({ transformer }) => {
  const scramble = new TransformStream({
    transform(frame, controller) {
      const data = new Uint8Array(frame.data);
      for (let i = frame.type === undefined ? 0 : 1; i < data.length; i++) data[i] ^= 0xff;
      passed++;
      controller.enqueue(frame);
    },
  });
  transformer.readable.pipeThrough(scramble).pipeTo(transformer.writable).catch(() => {});
};
setInterval(() => postMessage(passed), 100);`;

type When = 'never' | 'at once' | 'a task late' | 'taken away later' | 'worker killed later';

interface Result {
  /** Before and after what happens later, half-way. */
  halves: [Watch, Watch];
  tone: Tone;
  /** Frames that the worker has seen. */
  passed: number;
  packetsReceived: number;
  packetsAfter: number;
}

let film: Film;
let browser: Browser;
let site: Awaited<ReturnType<typeof servePage>>;

beforeAll(async () => {
  film = makeFilm({ person: 7, tone: 700 });
  site = await servePage({ '/scrambler.js': SCRAMBLER });
  browser = await launchBrowser({ film });
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await site?.close();
  film?.close();
});

/** Sends camera and microphone from one peer connection to another in the same page, in a small picture at a low bitrate. */
async function loopback(when: When, ms = 2500): Promise<Result> {
  const { context, watched } = await openContext(browser);
  const page = await context.newPage();
  try {
    await page.goto(site.origin);
    return await page.evaluate(
      async ({ when, ms }) => {
        const wait = (time: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, time));
        const stream = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
        const worker = new Worker('/scrambler.js');
        let passed = 0;
        worker.onmessage = (event: MessageEvent<number>) => (passed = event.data);
        const from = new RTCPeerConnection();
        const to = new RTCPeerConnection();
        from.onicecandidate = ({ candidate }) => void to.addIceCandidate(candidate ?? undefined);
        to.onicecandidate = ({ candidate }) => void from.addIceCandidate(candidate ?? undefined);
        const received: MediaStreamTrack[] = [];
        to.ontrack = ({ track }) => received.push(track);
        for (const track of stream.getTracks()) {
          const { sender } = from.addTransceiver(track, { direction: 'sendonly' });
          const seal = (): void => void (sender.transform = new RTCRtpScriptTransform(worker, {}));
          if (when === 'a task late') setTimeout(seal, 0);
          else if (when !== 'never') seal();
          if (track.kind === 'video') {
            const parameters = sender.getParameters();
            for (const encoding of parameters.encodings)
              Object.assign(encoding, { maxBitrate: 100_000, scaleResolutionDownBy: 2 });
            await sender.setParameters(parameters);
          }
        }
        for (const transceiver of from.getTransceivers()) {
          if (transceiver.sender.track?.kind !== 'video') continue;
          const codecs = RTCRtpSender.getCapabilities('video')?.codecs ?? [];
          transceiver.setCodecPreferences(codecs.filter(({ mimeType }) => mimeType === 'video/VP8'));
        }
        await from.setLocalDescription();
        await to.setRemoteDescription(from.localDescription!);
        await to.setLocalDescription();
        await from.setRemoteDescription(to.localDescription!);

        const packets = async (): Promise<number> => {
          let sum = 0;
          for (const entry of (await to.getStats()).values())
            if (entry.type === 'inbound-rtp') sum += entry.packetsReceived;
          return sum;
        };
        const video = document.querySelector('video')!;
        video.srcObject = new MediaStream(received);
        void video.play().catch(() => undefined);
        parleyReaders.watch('first', video);
        await wait(ms);
        const first = parleyReaders.watched('first');
        if (when === 'taken away later') for (const sender of from.getSenders()) sender.transform = null;
        if (when === 'worker killed later') worker.terminate();
        await wait(200);
        const packetsReceived = await packets();
        parleyReaders.watch('second', video);
        const tone = await parleyReaders.tone(
          received.filter(({ kind }) => kind === 'audio'),
          ms,
        );
        return {
          halves: [first, parleyReaders.watched('second')] as [Watch, Watch],
          tone,
          passed,
          packetsReceived,
          packetsAfter: await packets(),
        };
      },
      { when, ms },
    );
  } finally {
    expect(watched.consoleErrors.filter((text) => !text.includes('favicon'))).toEqual([]);
    await context.close();
  }
}

describe('pictures that carry numbers', () => {
  function rgba(
    cells: readonly boolean[],
    width: number,
    height: number,
    change = (luma: number): number => luma,
  ): Uint8Array {
    const pixels = new Uint8Array(width * height * 4);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const white = cells[Math.floor((y * 4) / height) * 8 + Math.floor((x * 8) / width)] === true;
        pixels.fill(change(white ? 215 : 40), (y * width + x) * 4, (y * width + x) * 4 + 3);
      }
    }
    return pixels;
  }

  test('every number of a film reads back, for the first and the last person', () => {
    for (const person of [0, 255]) {
      for (let number = 0; number < 4096; number += 13) {
        const cells = cellsOf({ person, number });
        expect(decodePicture(rgba(cells, 64, 36), 64, 36)).toEqual({ person, number });
      }
    }
  });

  test('one flipped cell, black, white, grey and faint pictures read as nothing', () => {
    const cells = cellsOf({ person: 9, number: 1234 });
    for (let i = 0; i < 32; i++) {
      const flipped = cells.map((cell, at) => (at === i ? !cell : cell));
      expect(decodePicture(rgba(flipped, 64, 36), 64, 36), `cell ${i}`).toBeNull();
    }
    for (const luma of [0, 128, 255])
      expect(
        decodePicture(
          rgba(cells, 64, 36, () => luma),
          64,
          36,
        ),
      ).toBeNull();
    expect(
      decodePicture(
        rgba(cells, 64, 36, (luma) => 128 + (luma - 128) / 8),
        64,
        36,
      ),
    ).toBeNull();
  });
});

describe('instruments in real Chromium', () => {
  test(
    "numbers survive VP8 at 100 kbit/s in half size, in order, and the tone survives the browser's audio processing",
    { timeout: 30_000 },
    async () => {
      const { halves, tone } = await loopback('never', 4000);
      const readings = halves.flatMap((half) => half.readings);
      expect(readings.length).toBeGreaterThan(60);
      expect(new Set(readings.map(({ person }) => person))).toEqual(new Set([7]));
      expect(orderOf(readings, film.frames)).toMatchObject({ backward: 0 });
      expect(halves[0].unreadable + halves[1].unreadable).toBeLessThan(readings.length * 0.05);
      expect(isTone(tone, 700)).toBe(true);
      expect(isTone(tone, 800)).toBe(false);
    },
  );

  test(
    'with a transform set in time, neither a number nor the tone is seen, although packets arrive',
    { timeout: 30_000 },
    async () => {
      const { halves, tone, passed, packetsReceived } = await loopback('at once');
      expect(packetsReceived).toBeGreaterThan(50);
      expect(passed).toBeGreaterThan(50);
      expect([...halves[0].readings, ...halves[1].readings]).toEqual([]);
      expect(isTone(tone, 700)).toBe(false);
    },
  );
});

describe('facts of Chromium that the product leans on', () => {
  test(
    'a transform set one task late is ignored without an error, and everything leaves in the clear',
    { timeout: 30_000 },
    async () => {
      const { halves, tone, passed } = await loopback('a task late');
      expect(passed).toBe(0);
      expect(halves[1].readings.length).toBeGreaterThan(10);
      expect(isTone(tone, 700)).toBe(true);
    },
  );

  test.for<When>(['taken away later', 'worker killed later'])(
    'transform %s: nothing leaves any more',
    { timeout: 30_000 },
    async (when) => {
      const { halves, packetsReceived, packetsAfter, tone } = await loopback(when);
      expect(packetsReceived).toBeGreaterThan(50);
      expect(packetsAfter - packetsReceived).toBeLessThan(5);
      expect(halves[1].readings).toEqual([]);
      expect(isTone(tone, 700)).toBe(false);
    },
  );
});
