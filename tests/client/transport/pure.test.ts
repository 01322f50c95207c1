/** The transport's pure parts: descriptions, budgets, the watchdog's judgement, statistics, signals, the worker's pulse. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { TransformCounts } from '../../../client/e2ee/messages.ts';
import type { PeerId } from '../../../signal/protocol/ids.ts';
import { layerOfHeight, budgetOf, scaleDown } from '../../../client/transport/bitrate.ts';
import { restrictSdp } from '../../../client/transport/sdp.ts';
import { offers, readSignal } from '../../../client/transport/signals.ts';
import { Silence } from '../../../client/transport/silence.ts';
import { Quality, readReport, type SectionTotals } from '../../../client/transport/stats.ts';
import { Burden, isStrained } from '../../../client/transport/burden.ts';
import { OpenWatch, seenFrames, Watch, type WatchSample } from '../../../client/transport/watchdog.ts';
import { watchPulse } from '../../../client/transport/workerPulse.ts';

describe('session descriptions', () => {
  const sdp = [
    'v=0',
    'a=extmap-allow-mixed',
    'm=audio 9 UDP/TLS/RTP/SAVPF 111',
    'a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level vad=on',
    'a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid',
    'a=rtpmap:111 opus/48000/2',
    'a=fmtp:111 minptime=10;useinbandfec=1',
    'm=video 9 UDP/TLS/RTP/SAVPF 96',
    'a=rtpmap:96 VP8/90000',
    'm=audio 9 UDP/TLS/RTP/SAVPF 111',
    'a=extmap:2/recvonly urn:ietf:params:rtp-hdrext:csrc-audio-level',
    'a=rtpmap:111 opus/48000/2',
    '',
  ].join('\r\n');
  const lines = restrictSdp(sdp).split('\r\n');

  test('say nothing of who speaks', () => {
    expect(lines.join()).not.toMatch(/audio-level/);
    expect(lines).toContain('a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid');
  });

  test('ask for a quiet voice, and for the full sound of a screen', () => {
    expect(lines.filter((line) => line.startsWith('a=fmtp:111'))).toEqual([
      'a=fmtp:111 minptime=10;useinbandfec=1;maxaveragebitrate=32000;usedtx=1',
      'a=fmtp:111 maxaveragebitrate=96000;stereo=1;sprop-stereo=1',
    ]);
  });

  test('lose what Firefox says of codecs that were taken out: Chromium refuses it', () => {
    const fox = [
      'v=0',
      'm=video 0 UDP/TLS/RTP/SAVPF 120',
      'a=rtcp-fb:120 nack',
      'a=rtcp-fb:121 nack',
      'a=fmtp:99 apt=120',
      'a=rtpmap:120 VP8/90000',
      '',
    ];
    expect(restrictSdp(fox.join('\r\n')).split('\r\n')).toEqual([fox[0], fox[1], fox[2], fox[5], '']);
  });

  test('stay as they are otherwise, and when restricted again', () => {
    expect(restrictSdp(restrictSdp(sdp))).toBe(restrictSdp(sdp));
    expect(restrictSdp('v=0\r\nm=video 9 x 96\r\n')).toBe('v=0\r\nm=video 9 x 96\r\n');
    expect(restrictSdp('')).toBe('');
  });
});

describe('budgets', () => {
  test('the more peers, the less for each, and the sum of the cameras stays below 1.7 Mbit/s', () => {
    for (const others of [0, 1, 2, 3, 5])
      expect(budgetOf('camera', others).maxBitrate * Math.max(1, Math.min(others, 3))).toBeLessThan(1_700_000);
    expect(budgetOf('camera', 1)).toMatchObject({ maxBitrate: 1_200_000, maxHeight: 720 });
    expect(budgetOf('camera', 3)).toMatchObject({ maxHeight: 360 });
    expect(budgetOf('screen', 1).maxBitrate).toBeGreaterThan(budgetOf('screen', 3).maxBitrate);
    expect(budgetOf('screen', 1).maxHeight).toBeUndefined();
  });

  test('pictures are only ever made smaller', () => {
    expect(scaleDown(720, 360)).toBe(2);
    expect(scaleDown(360, 720)).toBe(1);
    expect(scaleDown(undefined, 360)).toBe(1);
    expect(scaleDown(720, undefined)).toBe(1);
  });
});

describe('the watchdog', () => {
  const send = (seen: number, moved: number): WatchSample => ({ side: 'send', seen, moved });
  const verdicts = (...samples: [WatchSample, number][]) => {
    const watch = new Watch();
    return samples.map(([sample, at]) => watch.judge(sample, at));
  };

  test('is content while the worker sees what moves', () => {
    expect(verdicts([send(0, 0), 0], [send(30, 30), 1000], [send(60, 60), 2000], [send(90, 90), 3000])).not.toContain(
      'clearFrames',
    );
  });

  test('sees frames that pass a transform by, within a second', () => {
    expect(verdicts([send(0, 0), 0], [send(0, 20), 1000])).toEqual(['fine', 'clearFrames']);
    expect(verdicts([{ ...send(0, 0), side: 'receive' }, 0], [{ ...send(0, 20), side: 'receive' }, 1000])).toEqual([
      'fine',
      'nothingOpened',
    ]);
  });

  test('sees a transform that fell off later', () => {
    expect(verdicts([send(50, 50), 0], [send(50, 80), 1000], [send(50, 110), 2000])).toEqual([
      'fine',
      'fine',
      'clearFrames',
    ]);
  });

  test('is content with silence, with a probe, and with a connection that began anew', () => {
    expect(verdicts([send(5, 5), 0], [send(5, 5), 9000])).toEqual(['fine', 'fine']);
    expect(verdicts([send(5, 5), 0], [send(5, 7), 9000])).toEqual(['fine', 'fine']);
    expect(verdicts([send(5, 500), 0], [send(5, 0), 9000], [send(5, 1), 12_000])).toEqual(['fine', 'fine', 'fine']);
  });

  test('starts anew after a pause in which nothing could be counted', () => {
    const watch = new Watch();
    watch.judge(send(5, 5), 0);
    watch.reset();
    expect(watch.judge(send(5, 50), 5000)).toBe('fine');
  });

  const counts = (passed: number, forged = 0, empty = 0): TransformCounts => ({
    id: 'x',
    passed,
    empty,
    dropped: { noKey: 0, unknownKey: 0, earlier: 0, forged, replayed: 0, wrongSender: 0, malformed: 0, shed: 0 },
  });

  test('counts every frame that reached a transform', () => {
    expect(seenFrames(counts(3, 2, 1))).toBe(6);
  });

  test('knows how long frames have been coming without one that opens', () => {
    const watch = new OpenWatch();
    expect(watch.quietMs(counts(0), 0)).toBe(0);
    expect(watch.quietMs(counts(0, 5), 1000)).toBe(0);
    expect(watch.quietMs(counts(0, 9), 3000)).toBe(2000);
    expect(watch.quietMs(counts(1, 9), 4000)).toBe(0);
    expect(watch.quietMs(counts(1, 9), 60_000)).toBe(0);
  });
});

describe('statistics', () => {
  const report = (...entries: Record<string, unknown>[]) => ({
    forEach: (visit: (entry: never) => void) => entries.forEach((entry) => visit(entry as never)),
  });
  const base = [
    { id: 'T', type: 'transport', selectedCandidatePairId: 'P' },
    { id: 'P', type: 'candidate-pair', localCandidateId: 'L', remoteCandidateId: 'R', currentRoundTripTime: 0.0304 },
    { id: 'L', type: 'local-candidate', candidateType: 'host' },
    { id: 'R', type: 'remote-candidate', candidateType: 'srflx' },
  ];

  test('are read by media section', () => {
    const { sections, path, roundTripMs } = readReport(
      report(
        ...base,
        { id: 'o', type: 'outbound-rtp', kind: 'video', mid: '1', packetsSent: 9, framesEncoded: 4 },
        {
          id: 'i',
          type: 'inbound-rtp',
          kind: 'video',
          mid: '1',
          packetsReceived: 8,
          packetsLost: 2,
          framesReceived: 3,
        },
        { id: 'a', type: 'inbound-rtp', kind: 'audio', mid: '0', packetsReceived: 50, packetsLost: -1 },
      ),
    );
    expect(sections.get('1')).toMatchObject({
      sentPackets: 9,
      encodedFrames: 4,
      receivedPackets: 8,
      lostPackets: 2,
      assembledFrames: 3,
    });
    expect(sections.get('0')).toMatchObject({ receivedPackets: 50, lostPackets: 0, assembledFrames: null });
    expect([path, roundTripMs]).toEqual(['direct', 30]);
  });

  test('tell of all that comes, feedback too; of media alone where the browser counts no more', () => {
    const media = { id: 'i', type: 'inbound-rtp', kind: 'audio', mid: '0', packetsReceived: 50 };
    const transport = { id: 'T', type: 'transport', packetsReceived: 70 };
    expect(readReport(report(transport, media)).arrived).toBe(70);
    expect(readReport(report(...base, media)).arrived).toBe(50);
  });

  test('are the sum of the three sizes of a picture', () => {
    const sizes = [40, 30, 20].map((framesEncoded, i) => ({
      id: `o${i}`,
      type: 'outbound-rtp',
      kind: 'video',
      mid: '1',
      packetsSent: 100,
      framesEncoded,
    }));
    expect(readReport(report(...sizes)).sections.get('1')).toMatchObject({ sentPackets: 300, encodedFrames: 90 });
  });

  test('tell a path over TURN, and Firefox tells its pair in another way', () => {
    expect(
      readReport(report(...base.slice(0, 3), { id: 'R', type: 'remote-candidate', candidateType: 'relay' })).path,
    ).toBe('turn');
    expect(readReport(report({ ...base[1], selected: true }, base[2]!, base[3]!)).path).toBe('direct');
    expect(readReport(report()).path).toBeNull();
  });

  const section = (given: Partial<SectionTotals>): SectionTotals => ({
    sentPackets: 0,
    encodedFrames: null,
    receivedPackets: 0,
    lostPackets: 0,
    assembledFrames: null,
    limitedBy: null,
    sentFps: null,
    targetBitrate: null,
    ...given,
  });

  test('a copy suffers when the browser says why and it shows', () => {
    expect(isStrained(section({ limitedBy: 'cpu', sentFps: 5 }))).toBe(true);
    expect(isStrained(section({ limitedBy: 'cpu', sentFps: 15 }))).toBe(false);
    expect(isStrained(section({ limitedBy: 'bandwidth', targetBitrate: 80_000 }))).toBe(true);
    expect(isStrained(section({ limitedBy: 'none', sentFps: 3, targetBitrate: 50_000 }))).toBe(false);
  });

  test('a mesh is too much when most copies suffer for ten seconds, and it is said once a minute', () => {
    const burden = new Burden();
    expect(burden.look([true, true, false], 0)).toBe(false);
    expect(burden.look([true, true, false], 9_999)).toBe(false);
    expect(burden.look([true, true, false], 10_000)).toBe(true);
    expect(burden.look([true, true, false], 60_000)).toBe(false);
    expect(burden.look([true, true, false], 70_000)).toBe(true);
    // A moment's relief begins the time anew; and one copy is what a relay would get, too.
    expect(burden.look([true, false], 140_000)).toBe(false);
    expect(burden.look([true, true], 141_000)).toBe(false);
    expect(burden.look([true], 200_000)).toBe(false);
  });

  test('a tile is given the smallest size that fills it', () => {
    expect([90, 200, 201, 420, 421, 1080].map(layerOfHeight)).toEqual([0, 0, 1, 1, 2, 2]);
  });

  test('twice bad in a row is poor, once good is not', () => {
    const quality = new Quality();
    const totals = (receivedPackets: number, lostPackets: number) => ({
      sections: new Map([['0', section({ receivedPackets, lostPackets })]]),
      path: null,
      roundTripMs: 20,
      arrived: receivedPackets,
    });
    expect(quality.sample(totals(100, 0))).toEqual({ loss: 0, poor: false });
    expect(quality.sample(totals(190, 10))).toEqual({ loss: 0.1, poor: false });
    expect(quality.sample(totals(280, 20))).toEqual({ loss: 0.1, poor: true });
    expect(quality.sample(totals(380, 20))).toEqual({ loss: 0, poor: false });
    expect(quality.sample(totals(380, 20)).loss).toBeNull();
  });
});

describe('silence', () => {
  test('a path that brings nothing for 900 ms has fallen silent, which is said once, until something comes', () => {
    const silence = new Silence();
    expect(silence.look(0, 0)).toBe(false);
    expect(silence.look(0, 5000)).toBe(false);
    expect(silence.look(10, 6000)).toBe(false);
    expect(silence.look(10, 6899)).toBe(false);
    expect(silence.look(10, 6900)).toBe(true);
    expect(silence.look(10, 9000)).toBe(false);
    expect(silence.look(11, 9100)).toBe(false);
    expect(silence.look(11, 10_000)).toBe(true);
  });

  test('a microphone in a quiet room, a packet in 0.4 s and one of them lost, is no silence', () => {
    const silence = new Silence();
    const told = Array.from({ length: 20 }, (_, n) => silence.look(1 + Math.floor(n / 3), n * 250));
    expect(told).not.toContain(true);
  });
});

describe('signals', () => {
  test('that a member may send are read', () => {
    for (const data of [
      { type: 'offer', sdp: 'v=0' },
      { type: 'candidate', candidate: { candidate: 'c', sdpMid: '0', sdpMLineIndex: 0 } },
      { type: 'renegotiate', renegotiate: true },
      { type: 'restart' },
      { type: 'rebuild' },
    ])
      expect(readSignal(JSON.stringify({ connection: 3, data }))).toEqual({ connection: 3, data });
  });

  test('that a member may not send are dropped', () => {
    for (const body of [
      '',
      'null',
      '{"connection":1}',
      '{"connection":-1,"data":{"type":"restart"}}',
      '{"connection":1,"data":{"type":"transceiverRequest","transceiverRequest":{"kind":"video"}}}',
      '{"connection":1,"data":{"type":"offer","sdp":""}}',
      JSON.stringify({ connection: 1, data: { type: 'offer', sdp: 'x'.repeat(50_000) } }),
    ])
      expect(readSignal(body)).toBeNull();
  });

  test('of two peers exactly one makes the offers', () => {
    const [a, b] = ['a'.repeat(22), 'b'.repeat(22)] as PeerId[];
    expect([offers(a!, b!), offers(b!, a!)]).toEqual([true, false]);
  });
});

describe("the worker's pulse", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('is lost a second after a ping that nobody answers, and is back with the answer', async () => {
    const said: string[] = [];
    let answer: (() => void) | undefined;
    let silent = false;
    const stop = watchPulse({
      ping: () => (silent ? new Promise<void>((resolve) => (answer = resolve)) : Promise.resolve()),
      lost: () => said.push('lost'),
      back: () => said.push('back'),
    });
    await vi.advanceTimersByTimeAsync(5000);
    expect(said).toEqual([]);
    silent = true;
    await vi.advanceTimersByTimeAsync(1600);
    expect(said).toEqual(['lost']);
    silent = false;
    answer?.();
    await vi.advanceTimersByTimeAsync(10);
    expect(said).toEqual(['lost', 'back']);
    stop();
    await vi.advanceTimersByTimeAsync(5000);
    expect(said).toEqual(['lost', 'back']);
  });

  test('is lost when every ping is refused: the worker is dead', async () => {
    const said: string[] = [];
    const stop = watchPulse({
      ping: () => Promise.reject(new Error('gone')),
      lost: () => said.push('lost'),
      back: () => said.push('back'),
    });
    await vi.advanceTimersByTimeAsync(3000);
    expect(said).toEqual(['lost']);
    stop();
  });
});
