/**
 * A call at the relay, recorded by everybody who runs a server in it: the relay's operator, signal's, and whoever has the wire.
 *
 * Two people with browsers talk, one raises a hand, the other shares a screen; a third member, without a browser, sends nothing and
 * forgets nothing. Later somebody joins who has link and password, and after all have left somebody else does.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatInvite } from '../../crypto/invite.ts';
import { fromBase64url } from '../../crypto/bytes.ts';
import type { Signed } from '../../signal/protocol/documents.ts';
import type { MeetingId } from '../../signal/protocol/ids.ts';
import type { TransportOffer } from '../../signal/protocol/rtp.ts';
import type { WireAnswer } from '../../signal/protocol/wire.ts';
import { RealPerson } from '../scenario/support/realPerson.ts';
import type { Canary } from './canaries.ts';
import { startHostileServer, type HostileServer } from './hostileServer.ts';
import type { NamedValue } from './inviteValues.ts';
import { inviteValues } from './inviteValues.ts';
import type { EpochEntry } from './keyLog.ts';
import { startKeyLog } from './keyLog.ts';
import { screenScript } from './media/numberedScreen.ts';
import type { Person } from './person.ts';
import { CAST, People, until } from './person.ts';
import type { RelayTap, TappedStream } from './relayTap.ts';
import { startRelayTap } from './relayTap.ts';
import type { WirePacket } from './relayWire.ts';
import { startRelayWire } from './relayWire.ts';
import type { Media } from './rtp.ts';
import { framesOf, parseRtpHeader } from './rtp.ts';
import type { SealedFrame } from './sealedFrames.ts';
import { sealedFrame } from './sealedFrames.ts';
import { clientFolder } from './servedApp.ts';
import { startApp, WITH_RELAY } from './startApp.ts';

/** Written into the pictures of the screen. */
export const SLIDES = 77;
const WORDS = {
  title: 'Canary title: budget of the orchard',
  password: 'canary-password-quince-medlar-42',
  names: { keeper: 'Canary Keeper Hawthorn', Anna: 'Canary Anna Rowanberry', Ben: 'Canary Ben Elderflower' },
} as const;
/** Talk between the last of the streams and the end of the recording. */
const TALK_MS = 6000;
/** Frames of each kind that the recording has to have, before the talk counts. */
const LEAST_FRAMES = 30;

/** What a member of this process has had. */
interface Member {
  readonly entries: readonly EpochEntry[];
  readonly exported: readonly Uint8Array<ArrayBuffer>[];
}

export interface Capture {
  /** Up to the moment when somebody with link and password came. */
  readonly recording: readonly SealedFrame[];
  /** Of the whole call: frames that look like no sealed frame, which there must not be. */
  readonly unsealed: number;
  readonly incomplete: number;
  /** Packets that carry nothing, and those of no stream that the tap has asked for. */
  readonly padding: number;
  readonly unknown: number;
  /** Afterwards. */
  readonly later: readonly SealedFrame[];
  readonly packets: readonly Uint8Array[];
  /** Packets of media on the wire to the relay, by their headers: how many the tap should have. */
  readonly sent: number;
  readonly tapErrors: readonly unknown[];
  readonly wire: readonly WirePacket[];
  readonly signalling: Buffer;
  /** What a member has seen of the words that were said: they were said. */
  readonly said: readonly string[];
  readonly store: Buffer;
  /** Answers and requests by name, as signal had them. */
  readonly produced: readonly Extensions[];
  readonly consumed: readonly Extensions[];
  readonly meeting: MeetingId;
  readonly values: readonly NamedValue[];
  readonly canaries: readonly Canary[];
  readonly keeper: Member;
  readonly late: Member;
  readonly afterwards: Member;
}

interface Extensions {
  readonly headerExtensions: readonly { uri: string; id: number }[];
}

/** @throws Error where the call does not come about */
export async function recordCall(): Promise<Capture> {
  const closing: (() => Promise<void> | void)[] = [];
  try {
    return await callAndRecord((close) => closing.unshift(close));
  } finally {
    for (const close of closing) await close();
  }
}

async function callAndRecord(later: (close: () => Promise<void> | void) => void): Promise<Capture> {
  const keys = startKeyLog();
  later(() => keys.close());
  const tap = await startRelayTap();
  later(() => tap.close());
  const wire = await startRelayWire();
  later(() => wire.close());
  const app = await startApp({ ...WITH_RELAY, PARLEY_CLIENT: clientFolder() });
  later(() => app.close());
  const server = await startHostileServer(app.url);
  later(() => server.close());
  server.onAnswer = (answer) => (isLayerNews(answer) ? null : redirected(answer, wire.redirect));
  const people = new People(server.origin);
  later(() => people.close());

  const keeper = new RealPerson(server.origin, WORDS.names.keeper);
  later(() => keeper.cut());
  const { meeting, secret } = await makeMeeting(keeper, server.origin);
  await keeper.enter({ id: meeting, secret }, WORDS.password);
  const link = formatInvite(server.origin, meeting, fromBase64url(secret));
  const [anna, ben] = await Promise.all([
    // Large enough for three layers.
    people.invite('Anna', { picture: { width: 960, height: 540, frames: 45 } }),
    people.invite('Ben'),
  ]);
  await ben.context.addInitScript({ content: screenScript(SLIDES) });
  await enter(anna, link);
  await enter(ben, link);
  await streamsFlow(tap, { audio: 2, video: 2 });
  await anna.by('control-hand').click();
  await ben.by('control-screen').click();
  // Another layer of Anna's is sent as soon as her browser trusts its uplink.
  await streamsFlow(tap, { audio: 2, video: 4 });
  await new Promise((resolve) => setTimeout(resolve, TALK_MS));
  const recorded = tap.packets.length;

  const late = new RealPerson(server.origin, 'Late');
  later(() => late.cut());
  await late.enter({ id: meeting, secret }, WORDS.password);
  const isNew = ({ epochSlot }: SealedFrame): boolean => epochSlot === keys.rings[1]?.[0]?.epoch;
  await until(
    async () => sealedOf(tap, recorded).sealed.filter(isNew).length > 3 * LEAST_FRAMES,
    () => 'people send with the key of the epoch that the late one began in',
  );
  const said = wordsAt(keeper);
  const store = [storeBytes(app.dataDir)];
  await Promise.all([anna.leave(), ben.leave(), keeper.leave(), late.leave()]);
  const afterwards = new RealPerson(server.origin, 'Afterwards');
  later(() => afterwards.cut());
  await afterwards.enter({ id: meeting, secret }, WORDS.password);
  await until(
    async () => keys.rings.length === 3,
    () => 'a new group',
  );
  await afterwards.leave();
  store.push(storeBytes(app.dataDir));

  const values = await inviteValues({ meeting, secret, password: WORDS.password, ...publicOf(server) });
  const { unsealed, incomplete, padding, unknown } = sealedOf(tap);
  const member = (index: number): Member => ({ entries: keys.rings[index]!, exported: keys.exported[index]! });
  return {
    recording: sealedOf(tap, 0, recorded).sealed,
    unsealed,
    incomplete,
    padding,
    unknown,
    later: sealedOf(tap, recorded).sealed,
    packets: tap.packets,
    sent: mediaOn(wire.packets),
    said,
    tapErrors: tap.errors,
    wire: wire.packets,
    signalling: signallingBytes(server),
    store: Buffer.concat(store),
    produced: server.lines.flatMap(({ requests }) =>
      requests.flatMap(({ name, params }) =>
        name === 'relay.produce' ? [(params as { rtpParameters: Extensions }).rtpParameters] : [],
      ),
    ),
    consumed: resultsOf<{ rtpParameters: Extensions }>(server, 'relay.consume').map((result) => result.rtpParameters),
    meeting,
    values,
    canaries: canariesOf(values, keys.exported.flat()),
    keeper: member(0),
    late: member(1),
    afterwards: member(2),
  };
}

/** At the relay as soon as there are three. */
async function makeMeeting(keeper: RealPerson, origin: string): Promise<{ meeting: MeetingId; secret: string }> {
  const settings = { meshLimit: 2, capacity: 8 };
  const { title, password } = WORDS;
  const made = await keeper.call('meeting.create', { title, password, settings });
  const { meeting, secret, record, access } = made;
  const response = await fetch(`${origin}/api/meetings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ record, access }),
  });
  if (!response.ok) throw new Error(`not made: ${response.status}`);
  return { meeting, secret };
}

async function enter(person: Person, link: string): Promise<void> {
  await person.open(link);
  await person.enterPassword(WORDS.password);
  await person.shows('lobby-join');
  await person.by('lobby-name').fill(WORDS.names[person.name as 'Anna' | 'Ben']);
  await person.by('lobby-join').click();
  await person.shows('control-leave');
}

/** Waits until so many streams are sent, each layer for itself, and have been for a second or so. */
async function streamsFlow(tap: RelayTap, least: Record<Media, number>): Promise<void> {
  const flowing = (): Record<Media, number> => {
    const frames = new Map<TappedStream, number>();
    for (const { stream } of sealedOf(tap).sealed) frames.set(stream, (frames.get(stream) ?? 0) + 1);
    const streams = [...frames].flatMap(([stream, count]) => (count < LEAST_FRAMES ? [] : [stream]));
    const count = (media: Media) => streams.filter((stream) => stream.media === media).length;
    return { audio: count('audio'), video: count('video') };
  };
  await until(
    async () => flowing().audio >= least.audio && flowing().video >= least.video,
    () => `streams ${JSON.stringify(least)}; instead: ${JSON.stringify(flowing())} ${tap.errors.map(String).join()}`,
  );
}

function sealedOf(tap: RelayTap, from = 0, to = tap.packets.length) {
  const packets = tap.packets.slice(from, to);
  const { frames, ...counts } = framesOf(packets, (ssrc) => tap.streams.get(ssrc)?.media);
  const sealed = frames.flatMap((frame) => sealedFrame(frame, tap.streams.get(frame.ssrc)!) ?? []);
  return { sealed, unsealed: frames.length - sealed.length, ...counts };
}

/** News that a layer is not watched are kept from its sender: so all are sent, and caught. */
function isLayerNews(answer: WireAnswer): boolean {
  return 'event' in answer && answer.event.type === 'relay.wanted';
}

function redirected(answer: WireAnswer, redirect: (offer: TransportOffer) => TransportOffer): WireAnswer {
  if (!('result' in answer)) return answer;
  const result = answer.result as { send?: TransportOffer; receive?: TransportOffer } | null;
  if (!result?.send?.iceCandidates || !result.receive) return answer;
  return { ...answer, result: { ...result, send: redirect(result.send), receive: redirect(result.receive) } };
}

function resultsOf<T>(server: HostileServer, name: string): T[] {
  return server.lines.flatMap(({ requests, answers }) => {
    const ids = new Set(requests.flatMap((request) => (request.name === name ? [request.id] : [])));
    return answers.flatMap((answer) => ('result' in answer && ids.has(answer.id) ? [answer.result as T] : []));
  });
}

function publicOf(server: HostileServer): { signed: Signed; group: Parameters<typeof inviteValues>[0]['group'] } {
  const [{ record }] = resultsOf<{ record: Signed }>(server, 'meeting.proveLink') as [{ record: Signed }];
  const created = server.lines.flatMap(({ requests }) => requests).find(({ name }) => name === 'group.create')!;
  return { signed: record, group: (created.params as { groupId: never }).groupId };
}

function signallingBytes({ lines, http }: HostileServer): Buffer {
  const said = lines.flatMap(({ requests, answers }) => [...requests, ...answers]);
  return Buffer.from([...http, ...said.map((message) => JSON.stringify(message))].join('\n'));
}

/** Packets to the relay, each once. One with the padding bit is Chromium's probing for bandwidth: nothing else is in it. */
function mediaOn(packets: readonly WirePacket[]): number {
  const seen = new Set<string>();
  for (const { way, bytes } of packets) {
    const header = way === 'toRelay' ? parseRtpHeader(bytes) : null;
    if (header !== null && !header.padded) seen.add(`${header.ssrc} ${header.sequence}`);
  }
  return seen.size;
}

/** The database with its journal, while it is open: all of it. */
function storeBytes(folder: string): Buffer {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Buffer.concat(files.map(({ parentPath, name }) => readFileSync(join(parentPath, name))));
}

/** Names of the members, and what they have said. */
function wordsAt({ names, notices }: RealPerson): string[] {
  return [...names, ...notices.flatMap((notice) => (notice.type === 'message' ? [notice.body] : []))];
}

function canariesOf(values: readonly NamedValue[], exported: readonly Uint8Array[]): Canary[] {
  const { title, password, names } = WORDS;
  return [
    { name: 'title', is: title },
    { name: 'password', is: password },
    ...Object.entries(names).map(([who, is]) => ({ name: `name of ${who}`, is })),
    // What a raised hand says of itself.
    { name: 'hand', is: 'raised' },
    ...values.flatMap(({ name, bytes, isPublic }) => (isPublic ? [] : [{ name, is: bytes }])),
    ...exported.map((is, i) => ({ name: `exporter output ${i}`, is })),
  ];
}

/** Whose pictures and sound a frame should hold, by its leaf: the keeper was first, then they came one after the other. */
export const SPEAKERS: Readonly<Record<number, (typeof CAST)[keyof typeof CAST]>> = { 1: CAST.Anna, 2: CAST.Ben };
