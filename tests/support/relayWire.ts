/**
 * The wire between people and the relay: a forwarder of UDP that keeps what passes, both ways.
 *
 * mediasoup writes header extensions anew before anybody behind it sees them, so what people really send of them shows here alone;
 * SRTP leaves headers readable. People come to it because a server in the middle (hostileServer.ts) names its port to them.
 */
import type { Socket } from 'node:dgram';
import { createSocket } from 'node:dgram';
import type { TransportOffer } from '../../signal/protocol/rtp.ts';

export interface WirePacket {
  readonly way: 'toRelay' | 'fromRelay';
  readonly bytes: Uint8Array;
}

export interface RelayWire {
  readonly packets: WirePacket[];
  /** What is to be told to a client instead of the relay's own offer: the same, by way of the wire and by UDP alone. */
  redirect(offer: TransportOffer): TransportOffer;
  close(): Promise<void>;
}

export async function startRelayWire(): Promise<RelayWire> {
  const packets: WirePacket[] = [];
  const behind = new Map<string, Socket>();
  let relayPort = 0;
  const front = createSocket('udp4');
  front.on('message', (bytes, from) => {
    packets.push({ way: 'toRelay', bytes });
    const key = `${from.address}:${from.port}`;
    let socket = behind.get(key);
    if (socket === undefined) {
      socket = createSocket('udp4');
      socket.on('message', (answer) => {
        packets.push({ way: 'fromRelay', bytes: answer });
        front.send(answer, from.port, from.address);
      });
      behind.set(key, socket);
    }
    socket.send(bytes, relayPort, '127.0.0.1');
  });
  await new Promise<void>((resolve) => front.bind(0, '127.0.0.1', resolve));
  return {
    packets,
    redirect(offer) {
      const udp = offer.iceCandidates.filter(({ protocol }) => protocol === 'udp');
      relayPort = udp[0]?.port ?? relayPort;
      return { ...offer, iceCandidates: udp.map((candidate) => ({ ...candidate, port: front.address().port })) };
    },
    async close() {
      const all = [front, ...behind.values()];
      await Promise.all(all.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))));
    },
  };
}
