/**
 * The relay's worker, official or built by relay/worker, with a real browser: it starts, completes ICE and DTLS, and what
 * it forwards is what was sent. A binary that crashes in its first handshake would pass everything less.
 */
import { existsSync } from 'node:fs';
import * as mediasoup from 'mediasoup';
import type { types } from 'mediasoup';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { launchBrowser } from '../support/browser.ts';

// Without a binary there is nothing to test; on CI the set-up has seen to it that there is one.
const hasBinary = existsSync(mediasoup.workerBin);
if (!hasBinary) console.warn(`skipped: no relay worker at ${mediasoup.workerBin} (npm test fetches or builds it)`);

const OPUS: types.RouterRtpCodecCapability = { kind: 'audio', mimeType: 'audio/opus', clockRate: 48_000, channels: 2 };

let worker: types.Worker;
let browser: Browser;
beforeAll(async () => {
  if (!hasBinary) return;
  [worker, browser] = await Promise.all([mediasoup.createWorker({ logLevel: 'error' }), launchBrowser()]);
});
afterAll(async () => {
  worker?.close();
  await browser?.close();
});

/** The answer of a transport that only receives: what mediasoup-client would write, for one audio section. */
function answerFor(transport: types.WebRtcTransport, payloadType: number): string {
  const { iceParameters, iceCandidates, dtlsParameters } = transport;
  const [fingerprint] = dtlsParameters.fingerprints.filter(({ algorithm }) => algorithm === 'sha-256');
  return [
    'v=0',
    'o=- 1 1 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    'a=ice-lite',
    'a=group:BUNDLE 0',
    `m=audio 9 UDP/TLS/RTP/SAVPF ${payloadType}`,
    'c=IN IP4 127.0.0.1',
    'a=mid:0',
    'a=recvonly',
    'a=rtcp-mux',
    `a=rtpmap:${payloadType} opus/48000/2`,
    `a=ice-ufrag:${iceParameters.usernameFragment}`,
    `a=ice-pwd:${iceParameters.password}`,
    `a=fingerprint:sha-256 ${fingerprint?.value}`,
    'a=setup:passive',
    ...iceCandidates.map(({ priority, port }) => `a=candidate:1 1 udp ${priority} 127.0.0.1 ${port} typ host`),
    'a=end-of-candidates',
    '',
  ].join('\r\n');
}

test.skipIf(!hasBinary)('the relay’s worker receives a browser’s sound and hands it on', async () => {
  const router = await worker.createRouter({ mediaCodecs: [OPUS] });
  const transport = await router.createWebRtcTransport({ listenInfos: [{ protocol: 'udp', ip: '127.0.0.1' }] });
  const page = await browser.newPage();

  const offer = await page.evaluate(async () => {
    const audio = new AudioContext();
    const tone = audio.createOscillator();
    const out = audio.createMediaStreamDestination();
    tone.connect(out);
    tone.start();
    const peer = new RTCPeerConnection();
    const [track] = out.stream.getTracks();
    peer.addTransceiver(track as MediaStreamTrack, { direction: 'sendonly' });
    await peer.setLocalDescription();
    Object.assign(globalThis, { peer });
    return peer.localDescription?.sdp ?? '';
  });
  const field = (pattern: RegExp): string => pattern.exec(offer)?.[1] ?? '';
  const payloadType = Number(field(/a=rtpmap:(\d+) opus/));
  const ssrc = Number(field(/a=ssrc:(\d+)/));

  await transport.connect({
    dtlsParameters: {
      role: 'client',
      fingerprints: [{ algorithm: 'sha-256', value: field(/a=fingerprint:sha-256 (\S+)/) }],
    },
  });
  await page.evaluate(
    async (sdp) => {
      const { peer } = globalThis as unknown as { peer: RTCPeerConnection };
      await peer.setRemoteDescription({ type: 'answer', sdp });
    },
    answerFor(transport, payloadType),
  );
  await vi.waitFor(() => expect(transport.dtlsState).toBe('connected'), 10_000);

  const producer = await transport.produce({
    kind: 'audio',
    rtpParameters: {
      codecs: [{ mimeType: 'audio/opus', payloadType, clockRate: 48_000, channels: 2 }],
      encodings: [{ ssrc }],
    },
  });
  const direct = await router.createDirectTransport();
  const consumer = await direct.consume({ producerId: producer.id, rtpCapabilities: router.rtpCapabilities });
  const packets: Buffer[] = [];
  consumer.on('rtp', (packet) => packets.push(packet));
  await vi.waitFor(() => expect(packets.length).toBeGreaterThan(50), 10_000);

  // RFC 3550 §5.1: version 2, and the payload after the fixed header is sound, not silence of no length.
  for (const packet of packets) expect((packet[0] ?? 0) >> 6).toBe(2);
  expect(packets.filter((packet) => packet.length > 20).length).toBeGreaterThan(40);
  expect(worker.died).toBe(false);
  await page.close();
});
