/**
 * The wiretap itself, without any of our code: it must see what is in the clear, must not see what is sealed, and must be able to tamper.
 * Only then do the tests that use it mean something.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Browser } from 'playwright-core';
import { launchBrowser, openContext } from '../support/browser.ts';
import type { Film } from '../support/media/films.ts';
import { makeFilm } from '../support/media/films.ts';
import { servePage } from '../support/pageServer.ts';
import type { TapReport, Tampering } from '../support/wiretap.ts';
import { tapPage } from '../support/wiretap.ts';

/** Scrambles what is sent if `scramble`; counts what arrives, and how often the same bytes came twice or differ from `^ 0xff`. */
const WORKER = `
let received = 0, repeated = 0;
onrtctransform = ({ transformer }) => {
  let before = '';
  const { side, scramble } = transformer.options;
  transformer.readable.pipeThrough(new TransformStream({
    transform(frame, controller) {
      const data = new Uint8Array(frame.data);
      if (side === 'receive') {
        const text = data.slice(0, 64).join();
        received++;
        if (text === before) repeated++;
        before = text;
      }
      if (scramble) for (let i = frame.type === undefined ? 0 : 1; i < data.length; i++) data[i] ^= 0xff;
      controller.enqueue(frame);
    },
  })).pipeTo(transformer.writable).catch(() => {});
};
setInterval(() => postMessage({ received, repeated }), 100);`;

let film: Film;
let browser: Browser;
let site: Awaited<ReturnType<typeof servePage>>;

beforeAll(async () => {
  film = makeFilm({ person: 3, tone: 900 });
  site = await servePage({ '/worker.js': WORKER });
  browser = await launchBrowser({ film });
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await site?.close();
  film?.close();
});

async function call(
  scramble: boolean,
  tampering: Tampering = 'none',
): Promise<{ report: TapReport; received: number; repeated: number; shown: number }> {
  const { context } = await openContext(browser);
  const page = await context.newPage();
  try {
    await tapPage(page, /worker\.js$/, [700, 900]);
    await page.goto(site.origin);
    return await page.evaluate(
      async ({ scramble, tampering }) => {
        const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
        const stream = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
        const worker = new Worker('/worker.js');
        let counts = { received: 0, repeated: 0 };
        worker.onmessage = ({ data }) => (counts = data);
        const [from, to] = [new RTCPeerConnection(), new RTCPeerConnection()];
        from.onicecandidate = ({ candidate }) => void to.addIceCandidate(candidate ?? undefined);
        to.onicecandidate = ({ candidate }) => void from.addIceCandidate(candidate ?? undefined);
        const received = new MediaStream();
        to.ontrack = ({ receiver, track }) => {
          const kind = track.kind === 'video' ? 'camera' : 'microphone';
          receiver.transform = new RTCRtpScriptTransform(worker, { side: 'receive', kind, scramble });
          received.addTrack(track);
        };
        for (const track of stream.getTracks()) {
          const transceiver = from.addTransceiver(track, { direction: 'sendonly' });
          transceiver.sender.transform = new RTCRtpScriptTransform(worker, { side: 'send', scramble });
          if (track.kind !== 'video') continue;
          const codecs = RTCRtpSender.getCapabilities('video')?.codecs ?? [];
          transceiver.setCodecPreferences(codecs.filter(({ mimeType }) => mimeType === 'video/VP8'));
        }
        await from.setLocalDescription();
        await to.setRemoteDescription(from.localDescription!);
        await to.setLocalDescription();
        await from.setRemoteDescription(to.localDescription!);
        const video = document.querySelector('video')!;
        video.srcObject = received;
        void video.play().catch(() => undefined);
        parleyReaders.watch('shown', video);
        parleyTap.tamper(tampering);
        await wait(3000);
        return { report: parleyTap.report(), ...counts, shown: parleyReaders.watched('shown').readings.length };
      },
      { scramble, tampering },
    );
  } finally {
    await context.close();
  }
}

test('reads pictures and sound that nobody sealed, and leaves the call alone', async () => {
  const { report, shown } = await call(false);
  expect(report.arrived['camera']).toBeGreaterThan(20);
  expect(report.arrived['microphone']).toBeGreaterThan(80);
  expect(report.handedOn['camera']).toBeGreaterThan(20);
  expect(report.numbers.length).toBeGreaterThan(20);
  expect(report.numbers.every(({ person }) => person === 3)).toBe(true);
  expect(report.soundMs).toBeGreaterThan(1000);
  expect(report.tones['900']).toBeGreaterThan(0.5);
  expect(report.tones['700']).toBeLessThan(0.05);
  expect(shown).toBeGreaterThan(20);
});

test('reads nothing of a scrambled call, while the people in it see each other', async () => {
  const { report, shown } = await call(true);
  expect(report.arrived['camera']).toBeGreaterThan(20);
  expect(report.numbers).toEqual([]);
  expect(report.tones['900'] ?? 0).toBeLessThan(0.05);
  expect(shown).toBeGreaterThan(20);
});

test('repeats frames, and replaces them', async () => {
  const twice = await call(true, 'again');
  expect(twice.repeated).toBeGreaterThan(50);
  const once = await call(true);
  expect(once.repeated).toBeLessThan(5);
  const swapped = await call(true, 'otherKind');
  expect(swapped.received).toBeGreaterThan(100);
  // A few pass before the tap has begun to tamper.
  expect(swapped.shown).toBeLessThan(10);
});
