/**
 * Ends of a relay's transports in a process of their own: either one that sends packets at a rate, or many that count what comes.
 *
 * DTLS and SRTP are real; those who count do not open what they count.
 */
import { randomInt } from 'node:crypto';
import { RtpHeader } from 'werift';
import type { DtlsParameters, TransportOffer } from '../../../signal/protocol/rtp.ts';
import { obey } from '../../support/synthetic/orders.ts';
import { type OwnIce, ourDtls, Wire } from '../../support/synthetic/wire.ts';

export interface Sending {
  ssrc: number;
  payloadType: number;
  perSecond: number;
  count: number;
  /** base64 of one packet's payload */
  payload: string;
}

export interface Sent {
  sent: number;
  seconds: number;
}

const HANDSHAKES_AT_ONCE = 4;
/** Behind by more than this the sender is late for good: a burst that no camera sends would measure the relay's buffer. */
const MOST_BEHIND_S = 0.02;
/** Half of what an ordinary socket's buffer holds. */
const MOST_AT_ONCE = 45;

const wires: Wire[] = [];
let counted = 0;
let sequenceNumber = randomInt(2 ** 15);

async function send({ ssrc, payloadType, perSecond, count, payload }: Sending): Promise<Sent> {
  const [wire] = wires;
  const bytes = Buffer.from(payload, 'base64');
  const began = performance.now();
  let from = began;
  let sent = 0;
  let inStep = 0;
  while (sent < count) {
    const due = Math.floor(((performance.now() - from) / 1000) * perSecond) - inStep;
    const most = Math.min(MOST_AT_ONCE, Math.max(1, Math.ceil(perSecond * MOST_BEHIND_S)));
    const burst = Math.min(due, count - sent, most);
    for (let i = 0; i < burst; i++) {
      sequenceNumber = (sequenceNumber + 1) & 0xffff;
      const timestamp = Math.round((performance.now() * 90) % 2 ** 32) >>> 0;
      wire!.send(new RtpHeader({ version: 2, marker: true, payloadType, sequenceNumber, timestamp, ssrc }), bytes);
    }
    sent += Math.max(0, burst);
    if (burst < due) [from, inStep] = [performance.now(), 0];
    else inStep += Math.max(0, burst);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return { sent, seconds: (performance.now() - began) / 1000 };
}

const handlers = {
  dtls: (_: object): Promise<DtlsParameters> => ourDtls(),
  /** @param ice null towards relays that are ICE-lite @returns the ports at this end */
  async open({ offers, ice }: { offers: TransportOffer[]; ice: OwnIce | null }): Promise<number[]> {
    const ports: number[] = [];
    for (let at = 0; at < offers.length; at += HANDSHAKES_AT_ONCE) {
      const some = offers.slice(at, at + HANDSHAKES_AT_ONCE);
      // The relay knows our certificate already.
      for (const wire of await Promise.all(some.map((offer) => Wire.open(offer, () => Promise.resolve(), ice)))) {
        wire.onSealed = () => void counted++;
        wires.push(wire);
        ports.push(wire.port);
      }
    }
    return ports;
  },
  count: (_: object): number => counted,
  send,
};

export type PacketOrders = typeof handlers;

obey(handlers);
