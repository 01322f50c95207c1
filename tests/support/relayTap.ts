/**
 * A tap on the relay as its operator could set one: every packet that a worker receives, without transport crypto.
 *
 * It needs nothing of ours. mediasoup tells of every worker, router, transport and producer in its process; each router gets one
 * more transport, a pipe without SRTP to a socket of the tap, and that consumes every producer: a pipe is sent all layers of a
 * stream, whether anybody watches them or not. It can hear only what begins after it has, so it is started before the relay.
 */
import { createSocket } from 'node:dgram';
import * as mediasoup from 'mediasoup';
import type { types } from 'mediasoup';
import type { Media } from './rtp.ts';

export interface TappedStream {
  readonly producer: string;
  readonly media: Media;
  /** Spatial layer, 0 for what has one only. */
  readonly layer: number;
}

export interface RelayTap {
  /** In the clear of transport crypto, in the order of their arrival. */
  readonly packets: Uint8Array[];
  /** By SSRC, as the tap is sent them. */
  readonly streams: ReadonlyMap<number, TappedStream>;
  /** What went wrong with the tap itself. */
  readonly errors: unknown[];
  close(): Promise<void>;
}

/** What a burst of key frames in all layers may be before this process comes to read it. */
const RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024;

export async function startRelayTap(): Promise<RelayTap> {
  const packets: Uint8Array[] = [];
  const streams = new Map<number, TappedStream>();
  const errors: unknown[] = [];
  const pipes = new WeakMap<types.Router, Promise<types.PipeTransport>>();

  const socket = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER_BYTES });
  socket.on('message', (bytes) => packets.push(bytes));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));

  async function pipeFrom(router: types.Router): Promise<types.PipeTransport> {
    const pipe = await router.createPipeTransport({ listenInfo: { protocol: 'udp', ip: '127.0.0.1' } });
    await pipe.connect({ ip: '127.0.0.1', port: socket.address().port });
    return pipe;
  }

  async function listen(router: types.Router, producer: types.Producer): Promise<void> {
    const pipe = pipes.get(router) ?? pipeFrom(router);
    pipes.set(router, pipe);
    const { kind: media, rtpParameters } = await (await pipe).consume({ producerId: producer.id });
    rtpParameters.encodings?.forEach(({ ssrc }, layer) => {
      if (ssrc !== undefined) streams.set(ssrc, { producer: producer.id, media, layer });
    });
  }

  const onWorker = (worker: types.Worker): void => {
    worker.observer.on('newrouter', (router) => {
      router.observer.on('newtransport', (transport) => {
        // Streams of other relays and workers are tapped where they come from.
        if (transport.type !== 'webrtc') return;
        transport.observer.on('newproducer', (producer) => {
          listen(router, producer).catch((error: unknown) => {
            if (!producer.closed) errors.push(error);
          });
        });
      });
    });
  };
  mediasoup.observer.on('newworker', onWorker);

  return {
    packets,
    streams,
    errors,
    async close() {
      mediasoup.observer.off('newworker', onWorker);
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    },
  };
}
