/** What comes of a peer, for people who look at statistics. */
import { expect, test } from 'vitest';
import { ReceivedRate } from '../../../client/transport/received.ts';

type Entry = { type: string; [name: string]: unknown };
const report = (...entries: Entry[]) => ({ forEach: (visit: (entry: Entry) => void) => entries.forEach(visit) });
const codec: Entry = { id: 'c', type: 'codec', mimeType: 'video/VP8' };
const audio = (mid: string, bytesReceived: number): Entry => ({
  type: 'inbound-rtp',
  kind: 'audio',
  mid,
  bytesReceived,
});
const video = (mid: string, bytesReceived: number, frameHeight: number): Entry => ({
  type: 'inbound-rtp',
  kind: 'video',
  mid,
  bytesReceived,
  frameWidth: (frameHeight * 16) / 9,
  frameHeight,
  framesPerSecond: 25,
  codecId: 'c',
});

test('a rate is that of all sections of the peer since the last time, and the picture is the larger one', () => {
  const rate = new ReceivedRate();
  const mine = (mid: string) => mid !== '9';
  expect(rate.sample(report(codec, audio('0', 1000), video('1', 5000, 360)), mine, 0).bitrateKbps).toBeNull();
  const after = report(
    codec,
    audio('0', 2000),
    video('1', 14_000, 360),
    video('2', 100_000, 720),
    video('9', 9e9, 1080),
  );
  expect(rate.sample(after, mine, 2000)).toEqual({
    bitrateKbps: 440,
    width: 1280,
    height: 720,
    fps: 25,
    codec: 'VP8',
  });
});

test('totals that begin anew give no rate, and nothing gives nothing', () => {
  const rate = new ReceivedRate();
  const all = () => true;
  rate.sample(report(audio('0', 9000)), all, 0);
  expect(rate.sample(report(audio('0', 10)), all, 1000)).toEqual({
    bitrateKbps: null,
    width: null,
    height: null,
    fps: null,
    codec: null,
  });
});
