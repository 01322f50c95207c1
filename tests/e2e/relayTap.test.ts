/**
 * The relay sees only ciphertext: an operator who records all that relay and signal receive, and tries everything with it.
 *
 * One call is recorded (tests/support/tappedCall.ts) and then looked at from all sides. Every "nothing" has a control beside it that
 * finds something: the same decoder, the same search, the same statistics, on what is not sealed. docs/relay-tap.md explains it.
 */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exportSecret } from '../../crypto/mlsSuite.ts';
import { clearPrefix } from '../../crypto/clearPrefix.ts';
import { hasWorker } from '../../relay/relay.ts';
import { extensionUris } from '../../signal/protocol/rtp.ts';
import { launchBrowser } from '../support/browser.ts';
import { findCanaries, formsOf } from '../support/canaries.ts';
import type { FrameDecoder } from '../support/frameDecoder.ts';
import { openDecoder } from '../support/frameDecoder.ts';
import { CAST } from '../support/person.ts';
import { chiSquare, LEAST_SAMPLE, looksRandom } from '../support/randomness.ts';
import { parseRtpHeader } from '../support/rtp.ts';
import type { OpenedFrame, SealedFrame } from '../support/sealedFrames.ts';
import { codecOf, entriesOfValue, KINDS, openAll, repeatedNonces, someOfEachKey } from '../support/sealedFrames.ts';
import type { Capture } from '../support/tappedCall.ts';
import { recordCall, SLIDES, SPEAKERS } from '../support/tappedCall.ts';
import { TapReport } from '../support/tapReport.ts';

if (!hasWorker()) console.warn('skipped: no relay worker (npm test fetches or builds it)');

const TONES = Object.values(CAST).map(({ tone }) => tone);
/** A frame of Opus, and the share of all the time in which a tone is heard of a voice that is there, and of one that is not. */
const FRAME_MS = 20;
const [HEARD, NOT_HEARD] = [0.5, 0.03];
/** Frames of each key that a wrong key is tried on. */
const TRIES = 5;

const report = new TapReport();
let call: Capture;
let opened: OpenedFrame[];
let browser: Browser;
let decoder: FrameDecoder;

describe.skipIf(!hasWorker())('a call that relay and signal have recorded', () => {
  beforeAll(async () => {
    call = await recordCall();
    opened = await openAll(call.recording, call.keeper.entries);
    browser = await launchBrowser();
    decoder = await openDecoder(browser, TONES);
    report.recorded(call);
  }, 120_000);
  afterAll(async () => {
    report.write();
    await decoder?.close();
    await browser?.close();
  });

  test('has everything that the relay was sent: both people, their layers, the screen', () => {
    expect(call.tapErrors).toEqual([]);
    expect(call.unknown).toBe(0);
    expect(call.incomplete).toBeLessThan(10);
    // What comes before the tap is asked for, or before the first key frame of a layer, is not sent to a pipe.
    expect(call.packets.filter((packet) => parseRtpHeader(packet) !== null).length).toBeGreaterThan(0.95 * call.sent);
    const streams = new Set(call.recording.map(({ leaf, kind, stream }) => `${leaf} ${KINDS[kind]} ${stream.layer}`));
    for (const leaf of [1, 2])
      for (const kind of ['microphone 0', 'camera 0']) expect(streams).toContain(`${leaf} ${kind}`);
    expect(streams).toContain('1 camera 1');
    expect(streams).toContain('2 screen 0');
  });

  test('opens with the keys of a member, whole: right pictures, right voices', async () => {
    expect(opened.length).toBe(call.recording.length);
    for (const [name, frames] of streamsOf(opened)) {
      const { leaf, kind, stream } = frames[0]!;
      const decoded = await decoder.decode(
        stream.media,
        frames.map((frame) => frame.opened),
      );
      report.decoded('opened by a member', name, frames.length, decoded);
      const { number, tone } = SPEAKERS[leaf]!;
      if (KINDS[kind] === 'microphone') {
        const all = frames.length * FRAME_MS;
        expect(decoded.tones[tone], name).toBeGreaterThan(HEARD * all);
        for (const other of TONES) if (other !== tone) expect(decoded.tones[other] ?? 0).toBeLessThan(NOT_HEARD * all);
      }
      if (stream.media !== 'video') continue;
      expect(decoded.pictures, name).toBe(frames.length);
      expect(decoded.numbers.length, name).toBeGreaterThan(20);
      const seen = new Set(decoded.numbers.map(({ person }) => person));
      seen.delete(KINDS[kind] === 'screen' ? SLIDES : number);
      expect([...seen], name).toEqual([]);
    }
  });

  test('decodes to no picture and no tone', async () => {
    for (const [name, frames] of streamsOf(call.recording)) {
      const [{ stream }] = frames as [SealedFrame];
      const whole = await decoder.decode(
        stream.media,
        frames.map(({ bytes }) => bytes),
      );
      // Somebody who knows the format leaves out the header.
      const bare = frames.map(({ bytes, begins }) =>
        Buffer.concat([bytes.subarray(0, clearPrefix(codecOf(stream))), bytes.subarray(begins)]),
      );
      const cut = await decoder.decode(stream.media, bare);
      report.decoded('as it was recorded', name, frames.length, whole);
      for (const { pictures, numbers, tones } of [whole, cut]) {
        expect(pictures, name).toBe(0);
        expect(numbers, name).toEqual([]);
        for (const ms of Object.values(tones)) expect(ms, name).toBeLessThan(NOT_HEARD * frames.length * FRAME_MS);
      }
    }
  });

  test('has no word and no secret of the meeting in any form, in packets, frames, signalling or store', () => {
    const places = {
      packets: Buffer.concat(call.packets),
      frames: Buffer.concat([...call.recording, ...call.later].map(({ bytes }) => bytes)),
      wire: Buffer.concat(call.wire.map(({ bytes }) => bytes)),
      signalling: call.signalling,
      store: call.store,
    };
    for (const [place, bytes] of Object.entries(places)) {
      const found = findCanaries(bytes, call.canaries);
      report.searched(place, bytes.length, call.canaries, found.length);
      expect(found, place).toEqual([]);
    }
    // They were all said, and a member has understood them.
    for (const { name, is } of call.canaries.filter((canary) => /^(name|hand)/.test(canary.name))) {
      expect(
        call.said.some((word) => word.includes(is as string)),
        name,
      ).toBe(true);
    }
    // The places are the right ones: there is in them what a server may see.
    expect(findCanaries(call.signalling, [{ name: 'meeting', is: call.meeting }])).toContain('meeting as utf-8');
    expect(findCanaries(call.store, [{ name: 'meeting', is: call.meeting }])).toContain('meeting as utf-8');
    // And a canary that is there is found, whatever its form and wherever it begins.
    for (const canary of call.canaries) {
      for (const { encoding, bytes } of formsOf(canary)) {
        const planted = Buffer.concat([call.store.subarray(0, 4099), bytes, call.store.subarray(0, 101)]);
        expect(findCanaries(planted, [canary]), canary.name).toContain(`${canary.name} as ${encoding}`);
      }
    }
  });

  test('has no counter twice under one key, over all layers and epochs', () => {
    const frames = [...call.recording, ...call.later];
    const keys = new Set(frames.map(({ kid }) => kid));
    const repeated = repeatedNonces(frames);
    report.nonces(frames.length, keys.size, repeated.length);
    expect(frames.length).toBeGreaterThan(500);
    expect(repeated).toEqual([]);
    // One counter serves all layers of a camera.
    const layers = frames.filter(({ leaf, kind }) => leaf === 1 && KINDS[kind] === 'camera');
    expect(new Set(layers.map(({ stream }) => stream.layer)).size).toBeGreaterThan(1);
    expect(repeatedNonces([...frames, frames[99]!])).toHaveLength(1);
  });

  test('looks like noise behind clear prefix and header, which an unsealed film and voice do not', () => {
    for (const [i, kind] of KINDS.entries()) {
      const sealed = chiSquare(call.recording.flatMap((frame) => (frame.kind === i ? sealedPart(frame) : [])));
      const plain = chiSquare(opened.flatMap((frame) => (frame.kind === i ? frame.opened : [])));
      if (sealed.bytes === 0) continue;
      report.noise(kind, sealed, plain);
      if (sealed.bytes >= LEAST_SAMPLE)
        expect(looksRandom(sealed.chiSquare), `${kind}: ${sealed.chiSquare}`).toBe(true);
      // Silence of a screen's sound says little of either.
      if (kind !== 'screenAudio') {
        expect(sealed.bytes).toBeGreaterThan(LEAST_SAMPLE);
        expect(looksRandom(plain.chiSquare), `${kind}, opened: ${plain.chiSquare}`).toBe(false);
      }
    }
    // Codecs begin their frames alike: the first places for themselves, by twos.
    for (let place = 0; place < 8; place += 2) {
      const sealed = chiSquare(call.recording.map((frame) => sealedPart(frame).subarray(place, place + 2)));
      const plain = chiSquare(opened.map((frame) => frame.opened.subarray(place, place + 2)));
      report.noise(`bytes ${place} and ${place + 1} of all`, sealed, plain);
      expect(sealed.bytes).toBeGreaterThan(LEAST_SAMPLE);
      expect(looksRandom(sealed.chiSquare), `bytes from ${place}: ${sealed.chiSquare}`).toBe(true);
      expect(looksRandom(plain.chiSquare), `bytes from ${place}, opened`).toBe(false);
    }
  });

  test('leaves in the clear one byte of a VP8 frame and none of Opus', () => {
    expect(call.unsealed).toBe(0);
    for (const frame of opened) {
      const clear = frame.stream.media === 'video' ? 1 : 0;
      const header = frame.begins - clear;
      // Prefix, header, as much ciphertext as there was text, tag: nothing else, and no byte of it as it was.
      expect(frame.bytes.length).toBe(frame.opened.length + header + 16);
      expect([...frame.bytes.subarray(0, clear)]).toEqual([...frame.opened.subarray(0, clear)]);
    }
    const isKept = ({ bytes, begins, opened, stream }: OpenedFrame): boolean => {
      const text = opened.subarray(stream.media === 'video' ? 1 : 0);
      return text.length >= 8 && Buffer.from(bytes).includes(Buffer.from(text.subarray(0, 8)), begins);
    };
    expect(opened.filter(isKept)).toEqual([]);
  });

  test('uses no header extension beyond those of transport: none tells who speaks', () => {
    const declared = [...call.produced, ...call.consumed].flatMap(({ headerExtensions }) => headerExtensions);
    const uris = new Set(declared.map(({ uri }) => uri));
    for (const uri of uris) expect(extensionUris as readonly string[]).toContain(uri);
    expect([...uris].filter((uri) => /level|csrc/.test(uri))).toEqual([]);
    const idsOf = (all: Capture['produced']) =>
      new Set(all.flatMap(({ headerExtensions }) => headerExtensions.map(({ id }) => id)));
    const allowed = { toRelay: idsOf(call.produced), fromRelay: idsOf(call.consumed) };
    const used = new Map<string, number>();
    for (const { way, bytes } of call.wire) {
      for (const { id } of parseRtpHeader(bytes)?.extensions ?? []) {
        used.set(`${way} ${id}`, (used.get(`${way} ${id}`) ?? 0) + 1);
        expect(allowed[way], `an extension ${way}`).toContain(id);
      }
    }
    report.extensions(used, call);
    expect([...used.keys()].some((key) => key.startsWith('toRelay'))).toBe(true);
    expect([...used.keys()].some((key) => key.startsWith('fromRelay'))).toBe(true);
    // An audio level (RFC 6464 §3) would be seen.
    const level = Uint8Array.of(0x90, 111, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0xbe, 0xde, 0, 1, 0xa0, 0x85, 0, 0, 1, 2);
    expect(parseRtpHeader(level)?.extensions).toEqual([{ id: 10, bytes: Uint8Array.of(0x85) }]);
  });

  describe('and somebody who gets link and password afterwards', () => {
    test('opens nothing with all that the two give, taken for base keys or for exporter secrets', async () => {
      const some = someOfEachKey(call.recording, TRIES);
      let tries = 0;
      const right: string[] = [];
      for (const { name, bytes } of call.values) {
        const exported = await exportSecret(bytes, 'SFrame 1.0 Base Key', new Uint8Array(), 32);
        for (const baseKey of [bytes, exported]) {
          tries += some.length;
          right.push(...(await openAll(some, entriesOfValue(baseKey))).map(() => name));
        }
      }
      report.later('every value that link and password give', tries, right.length);
      expect(right).toEqual([]);
      // A right value is found in this way.
      const { epoch, baseKey } = call.keeper.entries.find((entry) => entry.epoch === some.at(-1)!.epochSlot)!;
      const its = some.filter(({ epochSlot }) => epochSlot === epoch);
      const openedWithIt = await openAll(some, entriesOfValue(baseKey));
      report.later('control: the base key of one epoch, its frames', its.length, openedWithIt.length);
      expect(openedWithIt.length).toBe(its.length);
      expect(its.length).toBeGreaterThan(0);
    });

    test.each(['late', 'afterwards'] as const)('opens nothing as a member that has come %s', async (when) => {
      const { entries, exported } = call[when];
      expect(entries.length).toBeGreaterThan(0);
      const withKeyring = await openAll(call.recording, entries);
      report.later(`keyring of a member that came ${when}`, call.recording.length, withKeyring.length);
      expect(withKeyring).toEqual([]);
      // Its keys are of other epochs: each value it was given is tried on every key of the recording, too.
      const some = someOfEachKey(call.recording, TRIES);
      const withValues = await Promise.all(exported.map((value) => openAll(some, entriesOfValue(value))));
      report.later(`exporter outputs of the same`, exported.length * some.length, withValues.flat().length);
      expect(withValues.flat()).toEqual([]);
    });

    test('although that member opens what is sent from its own epoch on', async () => {
      const own = call.late.entries.map(({ epoch }) => epoch);
      const meant = call.later.filter(({ epochSlot }) => own.includes(epochSlot));
      const openedLater = await openAll(meant, call.late.entries);
      report.later('control: the late member, frames of its own epochs', meant.length, openedLater.length);
      expect(openedLater.length).toBe(meant.length);
      expect(meant.length).toBeGreaterThan(50);
    });
  });
});

function sealedPart({ bytes, begins }: SealedFrame): Uint8Array {
  return bytes.subarray(begins);
}

/** Frames by sender, kind, layer and SSRC, in the order of sending. */
function streamsOf<F extends SealedFrame>(frames: readonly F[]): Map<string, F[]> {
  const streams = new Map<string, F[]>();
  for (const frame of frames) {
    const name = `leaf ${frame.leaf}, ${KINDS[frame.kind]}, layer ${frame.stream.layer}`;
    const known = streams.get(name) ?? [];
    known.push(frame);
    streams.set(name, known);
  }
  return streams;
}
