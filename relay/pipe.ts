/** One end of a pipe to another relay: streams of a meeting go through it as they are, in SRTP between the hosts. */
import type { types } from 'mediasoup';
import type { StreamId, TrackKind } from '../signal/protocol/model.ts';
import type { PipeEnd } from '../signal/protocol/relayControl.ts';
import { PipeEnd as PipeEndSchema } from '../signal/protocol/relayControl.ts';
import { RtpParameters } from '../signal/protocol/rtp.ts';
import { isOffered, mediaOf, plain } from './codecs.ts';
import { refusing } from './refusing.ts';

export class Pipe {
  readonly #transport: types.PipeTransport;
  readonly #sent = new Map<StreamId, Promise<RtpParameters>>();

  private constructor(transport: types.PipeTransport) {
    this.#transport = transport;
  }

  static async open(router: types.Router, listenInfo: types.TransportListenInfo): Promise<Pipe> {
    return new Pipe(await router.createPipeTransport({ listenInfo, enableSrtp: true, enableRtx: true }));
  }

  get end(): PipeEnd {
    const { tuple, srtpParameters } = this.#transport;
    return PipeEndSchema.parse(plain({ ip: tuple.localAddress, port: tuple.localPort, srtpParameters }));
  }

  async connect({ ip, port, srtpParameters }: PipeEnd): Promise<void> {
    await refusing(() => this.#transport.connect({ ip, port, srtpParameters }));
  }

  /** Lets a stream into the pipe, once. @returns how it travels, for the other end */
  send(id: StreamId, producer: types.Producer): Promise<RtpParameters> {
    const known = this.#sent.get(id);
    if (known) return known;
    const sending = this.#send(id, producer);
    this.#sent.set(id, sending);
    sending.catch(() => this.#sent.delete(id));
    return sending;
  }

  /** Takes a stream out of the pipe: a producer here, by the id that it has at home. */
  receive(given: { producer: StreamId; kind: TrackKind; rtpParameters: RtpParameters }): Promise<types.Producer> {
    const { producer: id, kind, rtpParameters } = given;
    return refusing(() => this.#transport.produce({ id, kind: mediaOf[kind], rtpParameters }));
  }

  /** Idempotent. */
  close(): void {
    this.#transport.close();
  }

  async #send(id: StreamId, producer: types.Producer): Promise<RtpParameters> {
    const consumer = await refusing(() => this.#transport.consume({ producerId: id }));
    consumer.observer.once('close', () => this.#sent.delete(id));
    if (producer.closed) consumer.close();
    const { headerExtensions = [], ...rest } = consumer.rtpParameters;
    // A router lists all that it could forward; what no peer may send need not be spoken of.
    return RtpParameters.parse(
      plain({ ...rest, headerExtensions: headerExtensions.filter(({ uri }) => isOffered(uri)) }),
    );
  }
}
