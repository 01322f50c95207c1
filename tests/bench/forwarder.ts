/**
 * A relay, one who sends to it and many who are sent that, each in a process of its own: packets in, packets out, and the worker's CPU.
 *
 * The stream is a camera in three sizes of which the smallest is sent, each packet a key frame, so that nobody waits for one.
 */
import { randomBytes, randomInt } from 'node:crypto';
import type { MeetingId, PeerId } from '../../signal/protocol/ids.ts';
import type { StreamId } from '../../signal/protocol/model.ts';
import { relayRequests, type RelayResult } from '../../signal/protocol/relayControl.ts';
import type { DtlsParameters, RtpParameters } from '../../signal/protocol/rtp.ts';
import { Servant } from '../support/synthetic/orders.ts';
import { plainCapabilities } from '../support/synthetic/packets.ts';
import type { OwnIce } from '../support/synthetic/wire.ts';
import { OUR_ICE } from './janusSdp.ts';
import type { Contender, ForwardingOrders } from './processes/forwarding.ts';
import type { PacketOrders, Sent } from './processes/packetClients.ts';
import { cpuMs } from './procfs.ts';
import { dropped } from './udp.ts';

const MEETING = 'aaaa-bbbb-cccc-dddd' as MeetingId;
/** S: the start of partition 0, no picture id (RFC 7741 §4.2); then the first byte of a key frame (RFC 6386 §9.1). */
const KEY_FRAME = Buffer.from([0x10, 0x10]);
/** Sent before what is counted: streams that were still are noticed, and buffers are as full as they get. */
const LEAD_PACKETS = 60;
const PATIENCE_MS = 3000;

export interface Run extends Sent {
  /** At the receivers' sockets, whether they were read there or found the socket's buffer full. */
  arrived: number;
  /** Of these, found the buffer full: the receivers were too slow, not the relay. */
  unread: number;
  /** At the worker's own sockets, before it read them. */
  droppedAtRelay: number;
  workerMs: number;
  /** Of the process that tells the worker what to do. */
  controlMs: number;
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const newPeer = (): PeerId => randomBytes(16).toString('base64url') as PeerId;

/** @param bytes of one packet's payload, as large as a sealed frame's piece and as random */
export function payloadOf(bytes: number): string {
  return Buffer.concat([KEY_FRAME, randomBytes(bytes - KEY_FRAME.length)]).toString('base64');
}

export class Forwarder {
  readonly which: Contender;
  readonly #relay = new Servant<ForwardingOrders>(new URL('processes/forwarding.ts', import.meta.url));
  readonly #sender = new Servant<PacketOrders>(new URL('processes/packetClients.ts', import.meta.url));
  readonly #receivers = new Servant<PacketOrders>(new URL('processes/packetClients.ts', import.meta.url));
  readonly #ssrc = randomInt(1, 2 ** 30);
  readonly #ports: number[] = [];
  readonly #relayPorts = new Set<number>();
  #workers: number[] = [];
  #isClosed = false;
  #stream: { producer: StreamId; payloadType: number } | null = null;
  #receiversDtls: DtlsParameters | null = null;

  private constructor(which: Contender) {
    this.which = which;
  }

  static async start(which: Contender): Promise<Forwarder> {
    const made = new Forwarder(which);
    try {
      made.#workers = await made.#relay.order('start', { which });
      await made.#produce();
      made.#receiversDtls = await made.#receivers.order('dtls', {});
      return made;
    } catch (error) {
      await made.close();
      throw error;
    }
  }

  get subscribers(): number {
    return this.#ports.length;
  }

  get workers(): readonly number[] {
    return this.#workers;
  }

  get sender(): number {
    return this.#sender.pid;
  }

  get receivers(): number {
    return this.#receivers.pid;
  }

  /** Until there are so many subscribers. */
  async grow(subscribers: number): Promise<void> {
    const consumers: { peer: PeerId; consumer: StreamId }[] = [];
    const offers: RelayResult<'peer.open'>['receive'][] = [];
    while (this.subscribers + offers.length < subscribers) {
      const peer = newPeer();
      const { receive, capabilities } = await this.#open(peer, 'receive', this.#receiversDtls!);
      const { consumer } = relayRequests.consume.result.parse(
        await this.#relay.order('consume', {
          meeting: MEETING,
          peer,
          producer: this.#stream!.producer,
          capabilities: plainCapabilities(capabilities),
        }),
      );
      consumers.push({ peer, consumer });
      offers.push(receive);
    }
    this.#ports.push(...(await this.#receivers.order('open', { offers, ice: this.#iceTowards('receive') })));
    for (const { peer, consumer } of consumers)
      await this.#relay.order('set', { meeting: MEETING, peer, consumer, paused: false, layer: 0 });
  }

  /** @param reading whether the receivers run: where they are stopped, full buffers count for them */
  async run(order: { perSecond: number; seconds: number; payload: string }, reading = true): Promise<Run> {
    await this.#send(order, LEAD_PACKETS);
    await wait(100);
    const before = await this.#count(reading);
    const sent = await this.#send(order, Math.round(order.perSecond * order.seconds));
    let after = await this.#count(reading);
    const deadline = performance.now() + PATIENCE_MS;
    const expected = before.arrived + sent.sent * this.subscribers;
    while (after.arrived < expected && performance.now() < deadline) {
      await wait(30);
      const next = await this.#count(reading);
      // Nothing comes any more.
      if (!reading && next.arrived === after.arrived) break;
      after = next;
    }
    return {
      ...sent,
      arrived: after.arrived - before.arrived,
      unread: after.unread - before.unread,
      droppedAtRelay: after.droppedAtRelay - before.droppedAtRelay,
      workerMs: after.workerMs - before.workerMs,
      controlMs: after.controlMs - before.controlMs,
    };
  }

  /** Idempotent. */
  async close(): Promise<void> {
    if (!this.#isClosed && this.which === 'janus') await this.#relay.order('stop', {}).catch(() => undefined);
    this.#isClosed = true;
    await Promise.all([this.#sender.end(), this.#receivers.end(), this.#relay.end()]);
  }

  /** Janus is a full agent, and makes the offer where it sends. */
  #iceTowards(direction: 'send' | 'receive'): OwnIce | null {
    return this.which === 'janus' ? { ...OUR_ICE, isControlled: direction === 'receive' } : null;
  }

  #send({ perSecond, payload }: { perSecond: number; payload: string }, count: number): Promise<Sent> {
    const { payloadType } = this.#stream!;
    return this.#sender.order('send', { ssrc: this.#ssrc, payloadType, perSecond, count, payload });
  }

  async #count(reading: boolean): Promise<Omit<Run, keyof Sent>> {
    const read = reading ? await this.#receivers.order('count', {}) : 0;
    const unread = dropped(this.#ports);
    return {
      arrived: read + unread,
      unread,
      droppedAtRelay: dropped(this.#relayPorts),
      workerMs: cpuMs(this.#workers),
      controlMs: cpuMs([this.#relay.pid]),
    };
  }

  async #produce(): Promise<void> {
    const peer = newPeer();
    const { send, capabilities } = await this.#open(peer, 'send', await this.#sender.order('dtls', {}));
    const vp8 = capabilities.codecs.find(({ mimeType }) => mimeType.toLowerCase() === 'video/vp8')!;
    const payloadType = vp8.preferredPayloadType;
    const rtpParameters: RtpParameters = {
      codecs: [{ mimeType: vp8.mimeType, payloadType, clockRate: 90_000 }],
      headerExtensions: [],
      encodings: [0, 1, 2].map((layer) => ({ ssrc: this.#ssrc + layer })),
      rtcp: { cname: 'bench' },
    };
    const order = { meeting: MEETING, peer, kind: 'camera', rtpParameters } as const;
    const { producer } = relayRequests.produce.result.parse(await this.#relay.order('produce', order));
    this.#stream = { producer, payloadType };
    await this.#sender.order('open', { offers: [send], ice: this.#iceTowards('send') });
  }

  /** A peer whose one transport is used: its end may come as soon as it likes. */
  async #open(
    peer: PeerId,
    direction: 'send' | 'receive',
    dtlsParameters: DtlsParameters,
  ): Promise<RelayResult<'peer.open'>> {
    const opened = relayRequests['peer.open'].result.parse(
      await this.#relay.order('open', { meeting: MEETING, peer, direction, dtlsParameters, ssrc: this.#ssrc }),
    );
    await this.#relay.order('connect', { meeting: MEETING, peer, direction, dtlsParameters });
    for (const { protocol, port } of opened[direction].iceCandidates)
      if (protocol === 'udp') this.#relayPorts.add(port);
    return opened;
  }
}
