/**
 * mediasoup without the product: one worker, one router, transports, producers and consumers, as its documentation has them.
 *
 * Answers the few requests of our relay's catalogue that the benches make, so that the same clients can drive both.
 */
import * as mediasoup from 'mediasoup';
import type { types } from 'mediasoup';
import type { RelayParams } from '../../../signal/protocol/relayControl.ts';

const mediaCodecs: types.RouterRtpCodecCapability[] = [
  { kind: 'audio', mimeType: 'audio/opus', clockRate: 48_000, channels: 2 },
  { kind: 'video', mimeType: 'video/VP8', clockRate: 90_000 },
];

export class BareRelay {
  readonly pids: number[];
  readonly #worker: types.Worker;
  readonly #router: types.Router;
  readonly #transports = new Map<string, types.WebRtcTransport>();
  readonly #consumers = new Map<string, types.Consumer>();

  private constructor(worker: types.Worker, router: types.Router) {
    this.#worker = worker;
    this.#router = router;
    this.pids = [worker.pid];
  }

  static async start(): Promise<BareRelay> {
    const worker = await mediasoup.createWorker({ logLevel: 'error' });
    return new BareRelay(worker, await worker.createRouter({ mediaCodecs }));
  }

  async open({ peer }: RelayParams<'peer.open'>): Promise<object> {
    const [send, receive] = await Promise.all([this.#transport(`${peer} send`), this.#transport(`${peer} receive`)]);
    const { codecs = [] } = this.#router.rtpCapabilities;
    // The clients use no header extensions.
    return { capabilities: { codecs, headerExtensions: [] }, send, receive };
  }

  async connect({ peer, direction, dtlsParameters }: RelayParams<'transport.connect'>): Promise<object> {
    await this.#transports.get(`${peer} ${direction}`)!.connect({ dtlsParameters });
    return {};
  }

  async produce({ peer, rtpParameters }: RelayParams<'produce'>): Promise<object> {
    const transport = this.#transports.get(`${peer} send`)!;
    return { producer: (await transport.produce({ kind: 'video', rtpParameters })).id };
  }

  async consume({ peer, producer, capabilities }: RelayParams<'consume'>): Promise<object> {
    const transport = this.#transports.get(`${peer} receive`)!;
    const consumer = await transport.consume({
      producerId: producer,
      rtpCapabilities: capabilities as types.RtpCapabilities,
      paused: true,
    });
    this.#consumers.set(consumer.id, consumer);
    return { consumer: consumer.id, rtpParameters: consumer.rtpParameters };
  }

  async set({ consumer: id, layer }: RelayParams<'consumer.set'>): Promise<object> {
    const consumer = this.#consumers.get(id)!;
    if (layer !== undefined) await consumer.setPreferredLayers({ spatialLayer: layer });
    await consumer.resume();
    return {};
  }

  close(): void {
    this.#worker.close();
  }

  async #transport(name: string): Promise<object> {
    const transport = await this.#router.createWebRtcTransport({ listenInfos: [{ protocol: 'udp', ip: '127.0.0.1' }] });
    this.#transports.set(name, transport);
    const { id, iceParameters, iceCandidates, dtlsParameters } = transport;
    return { id, iceParameters, iceCandidates, dtlsParameters };
  }
}
