/**
 * A member of a meeting without a browser: the product's own worker code holds its keys (RealPerson), and media go to the relay and
 * come from it by our protocol, in real packets, sealed and opened by the real transforms.
 *
 * Sends little, to be one of many on a small machine: a few sounds and one small picture a second. Receives what it is told to follow.
 */
import { randomInt } from 'node:crypto';
import { RtpHeader } from 'werift';
import type { EncodedFrame } from '../../../client/e2ee/frameTransform.ts';
import type { TransformCounts } from '../../../client/e2ee/messages.ts';
import type { Store } from '../../../client/e2ee/store.ts';
import type { ServerEvent } from '../../../signal/protocol/events.ts';
import type { PeerId } from '../../../signal/protocol/ids.ts';
import type { RelayStream, StreamId } from '../../../signal/protocol/model.ts';
import type { RtpCapabilities, RtpParameters } from '../../../signal/protocol/rtp.ts';
import { RealPerson, ServerRefused, type RealMeeting } from '../../scenario/support/realPerson.ts';
import { Assembler, payloadOf, plainCapabilities, type Codec } from './packets.ts';
import { Wire } from './wire.ts';

type Kind = 'microphone' | 'camera';

const SENDS = {
  /** 20 ms of silence: RFC 6716 §3.1, TOC of CELT, full band, mono. */
  microphone: { codec: 'opus', clockRate: 48_000, everyMs: 500, frame: Buffer.from('f8fffe', 'hex') },
  /** A key frame of one grey pixel (RFC 6386 §9.1), so that whoever comes late decodes every one. */
  camera: {
    codec: 'vp8',
    clockRate: 90_000,
    everyMs: 1000,
    frame: Buffer.from('3001009d012a010001000ec0fe25a400037000000000', 'hex'),
  },
} as const satisfies Record<Kind, { codec: Codec; clockRate: number; everyMs: number; frame: Buffer }>;
const LOOK_MS = 1000;
const TRIES = 10;
const REOPEN_MS = 300;

/** Of one stream that it follows. */
export interface Followed {
  peer: PeerId;
  kind: Kind;
  opened: number;
  /** What reached the transform and did not open, by reason; empty where all did. */
  unopened: Partial<TransformCounts['dropped']>;
  torn: number;
}

export interface MemberReport {
  name: string;
  peer: PeerId;
  epoch: number;
  members: number;
  atRelay: boolean;
  sealed: number;
  followed: Followed[];
  /** Why it is not well: alarms, being out, errors. */
  troubles: string[];
}

interface Receiving {
  stream: RelayStream & { kind: Kind };
  id: string;
  assembler: Assembler;
}

export class SyntheticMember {
  readonly #person: RealPerson;
  readonly #streams = new Map<StreamId, RelayStream & { kind: Kind }>();
  readonly #follows = new Set<PeerId>();
  readonly #receiving = new Map<StreamId, Receiving>();
  readonly #bySsrc = new Map<number, Receiving>();
  readonly #timers = new Set<ReturnType<typeof setInterval>>();
  /** Transforms of all that it has sent, from whichever opening. */
  readonly #sends = new Set<string>();
  readonly #errors: string[] = [];
  #way: { send: Wire; receive: Wire; capabilities: RtpCapabilities } | null = null;
  /** Which opening of the relay this is: what belongs to an older one is dropped. */
  #opening = 0;
  #left = false;
  #comingBack = false;

  constructor(url: string, name: string) {
    this.#person = new RealPerson(url, name, frugalStore());
    this.#person.onCut = () => void this.#comeBack();
    this.#person.onEvent = (event) => this.#happened(event);
    this.#every(LOOK_MS, () => this.#forgetOldNotices());
  }

  /** In the meeting, not yet in its group: that takes a commit of another. */
  async enter(meeting: RealMeeting): Promise<PeerId> {
    await this.#person.enter(meeting, null);
    this.#openWhereWanted();
    return this.#person.peer!;
  }

  /** From now on it receives what these send. */
  follow(peers: readonly PeerId[]): void {
    for (const peer of peers) this.#follows.add(peer);
    this.#consumeAll();
  }

  report(): MemberReport {
    const { name, notices } = this.#person;
    const newest = notices.findLast((notice) => notice.type === 'members');
    const passed = (id: string): number => this.#person.counts(id)?.passed ?? 0;
    const out = this.#person.out;
    return {
      name,
      peer: this.#person.peer!,
      epoch: newest?.epoch ?? -1,
      members: newest?.members.length ?? 0,
      atRelay: this.#way !== null,
      sealed: [...this.#sends].reduce((sum, id) => sum + passed(id), 0),
      followed: [...this.#receiving.values()].map(({ stream, id, assembler }) => ({
        peer: stream.peer,
        kind: stream.kind,
        opened: passed(id),
        unopened: Object.fromEntries(
          Object.entries(this.#person.counts(id)?.dropped ?? {}).filter(([, count]) => count > 0),
        ),
        torn: assembler.torn,
      })),
      troubles: [...this.#person.alarms, ...(out === null ? [] : [`out: ${out}`]), ...this.#errors],
    };
  }

  async leave(): Promise<void> {
    this.#left = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#drop();
    await this.#person.leave();
  }

  #happened(event: ServerEvent): void {
    if (event.type === 'topology') this.#openWhereWanted();
    if (event.type === 'relay.produced') this.#learn(event.stream);
    if (event.type === 'relay.ended') this.#end(event.producer);
  }

  #end(producer: StreamId): void {
    this.#streams.delete(producer);
    const receiving = this.#receiving.get(producer);
    if (!receiving) return;
    this.#receiving.delete(producer);
    void this.#person.call('transform.end', { id: receiving.id });
  }

  /**
   * As any client: to the same server, or to one that has begun anew and knows nobody. The server ends sockets that leave a ping
   * unanswered for ten seconds: a browser answers beside its pages, while here a thread that is full of other members' work does not.
   */
  async #comeBack(): Promise<void> {
    if (this.#comingBack) return;
    this.#comingBack = true;
    for (let tries = 0; tries < TRIES && !this.#left; tries++) {
      await new Promise((resolve) => setTimeout(resolve, randomInt(200, 1000)));
      const resumed = await this.#person.resume().then(
        () => true,
        (error: unknown) => (error instanceof ServerRefused ? this.#joinAgain() : false),
      );
      if (resumed) break;
      if (tries === TRIES - 1) this.#errors.push('cut off');
    }
    this.#comingBack = false;
  }

  async #joinAgain(): Promise<boolean> {
    try {
      await this.#person.joinAgain();
    } catch {
      return false;
    }
    this.#openWhereWanted();
    return true;
  }

  /** Also when there is a way already: whoever says so anew has lost the room. */
  #openWhereWanted(): void {
    if (this.#person.topology === 'relay') void this.#open(++this.#opening);
  }

  async #open(opening: number): Promise<void> {
    const isCurrent = (): boolean => opening === this.#opening && !this.#left;
    for (let tries = 0; isCurrent(); tries++) {
      try {
        await this.#openOnce(opening, isCurrent);
        return;
      } catch (error) {
        if (isCurrent() && tries === TRIES) this.#errors.push(String(error));
        if (tries === TRIES) return;
        await new Promise((resolve) => setTimeout(resolve, REOPEN_MS));
      }
    }
  }

  async #openOnce(opening: number, isCurrent: () => boolean): Promise<void> {
    this.#drop();
    this.#streams.clear();
    const opened = await this.#person.request('relay.open', {});
    if (!isCurrent()) return;
    for (const stream of opened.streams) this.#learn(stream);
    const open = (direction: 'send' | 'receive'): Promise<Wire> =>
      Wire.open(opened[direction], (dtlsParameters) =>
        this.#person.request('relay.connect', { direction, dtlsParameters }),
      );
    const [send, receive] = await Promise.all([open('send'), open('receive')]);
    if (!isCurrent()) {
      send.close();
      receive.close();
      return;
    }
    receive.onPacket = (packet) => this.#bySsrc.get(packet.header.ssrc)?.assembler.take(packet);
    this.#way = { send, receive, capabilities: opened.capabilities };
    this.#consumeAll();
    for (const kind of ['microphone', 'camera'] as const) await this.#produce(kind, `${kind} ${opening}`, isCurrent);
  }

  /** What there was at the relay. */
  #drop(): void {
    for (const { id } of this.#receiving.values()) void this.#person.call('transform.end', { id });
    this.#receiving.clear();
    this.#bySsrc.clear();
    this.#way?.send.close();
    this.#way?.receive.close();
    this.#way = null;
  }

  async #produce(kind: Kind, id: string, isCurrent: () => boolean): Promise<void> {
    const { send, capabilities } = this.#way!;
    const { codec: name, clockRate, everyMs, frame } = SENDS[kind];
    const codec = capabilities.codecs.find(({ mimeType }) => mimeType.toLowerCase().endsWith(`/${name}`))!;
    const { mimeType, preferredPayloadType: payloadType, channels } = codec;
    const ssrc = randomInt(1, 2 ** 31);
    const rtpParameters: RtpParameters = {
      codecs: [{ mimeType, payloadType, clockRate, ...(channels === undefined ? {} : { channels }) }],
      headerExtensions: [],
      encodings: [{ ssrc }],
      rtcp: { cname: this.#person.peer! },
    };
    const { readable, writable } = this.#person.transform({ id, side: 'send', kind, codec: name, peer: null });
    this.#sends.add(id);
    const writer = writable.getWriter();
    let sequenceNumber = randomInt(2 ** 15);
    const began = performance.now();
    drain(readable, ({ data }) => {
      const timestamp = Math.round(((performance.now() - began) / 1000) * clockRate) >>> 0;
      sequenceNumber = (sequenceNumber + 1) & 0xffff;
      const header = new RtpHeader({ version: 2, marker: true, payloadType, sequenceNumber, timestamp, ssrc });
      send.send(header, payloadOf(name, data));
    });
    await this.#person.request('relay.produce', { kind, rtpParameters });
    this.#every(everyMs, () => {
      if (!isCurrent()) return;
      // The transform replaces the data, so each frame is a copy.
      writer.write({ data: new Uint8Array(frame).buffer }).catch(() => undefined);
    });
  }

  #learn(stream: RelayStream): void {
    const { kind } = stream;
    if (kind !== 'microphone' && kind !== 'camera') return;
    this.#streams.set(stream.producer, { ...stream, kind });
    this.#consumeAll();
  }

  #consumeAll(): void {
    if (!this.#way) return;
    for (const stream of this.#streams.values()) {
      if (!this.#follows.has(stream.peer) || this.#receiving.has(stream.producer)) continue;
      const opening = this.#opening;
      this.#consume(stream).catch((error: unknown) => {
        // What was lost with the room is asked for in another.
        if (opening === this.#opening) this.#errors.push(String(error));
      });
    }
  }

  async #consume(stream: RelayStream & { kind: Kind }): Promise<void> {
    const { kind, peer, producer } = stream;
    const { codec } = SENDS[kind];
    const id = `${kind} of ${peer} ${this.#opening}`;
    const { readable, writable } = this.#person.transform({ id, side: 'receive', kind, codec, peer });
    const writer = writable.getWriter();
    drain(readable, () => undefined);
    const assembler = new Assembler(codec, (data) => void writer.write({ data }).catch(() => undefined));
    const receiving = { stream, id, assembler };
    this.#receiving.set(producer, receiving);
    const capabilities = plainCapabilities(this.#way!.capabilities);
    const { consumer, rtpParameters } = await this.#person.request('relay.consume', { producer, capabilities });
    this.#bySsrc.set(rtpParameters.encodings[0]!.ssrc!, receiving);
    await this.#person.request('relay.set', { consumer, paused: false, layer: 0 });
  }

  #every(ms: number, run: () => void): void {
    // Members who came together do not beat together.
    const start = setTimeout(() => {
      this.#timers.delete(start);
      if (!this.#left) this.#timers.add(setInterval(run, ms));
    }, randomInt(ms));
    this.#timers.add(start);
  }

  /** A list of members for each epoch and each profile would be most of a process's memory, and all of it is ours, not the product's. */
  #forgetOldNotices(): void {
    const { notices } = this.#person;
    const newest = new Map(notices.map((notice, index) => [notice.type, index]));
    const kept = notices.filter((notice, index) => notice.type === 'alarm' || newest.get(notice.type) === index);
    notices.splice(0, notices.length, ...kept);
  }
}

/** Without copies: the list of identities met is written with every newcomer, by every member. */
function frugalStore(): Store {
  const values = new Map<string, unknown>();
  return {
    get: (name) => Promise.resolve(values.get(name)),
    update: (name, change) => Promise.resolve(void values.set(name, change(values.get(name)))),
  };
}

function drain(readable: ReadableStream<EncodedFrame>, take: (frame: EncodedFrame) => void): void {
  const reader = readable.getReader();
  void (async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      take(value);
    }
  })().catch(() => undefined);
}
