/**
 * Janus's video room behind the few requests of our relay's catalogue that the forwarding bench makes, so that the same members can drive it.
 *
 * Its members' sides of SDP are written here (../janusSdp.ts), their packets are their own.
 */
import { randomInt, randomUUID } from 'node:crypto';
import type { RelayParams } from '../../../signal/protocol/relayControl.ts';
import type { DtlsParameters } from '../../../signal/protocol/rtp.ts';
import { startJanus, type Janus } from '../janus.ts';
import { JanusSession } from '../janusSession.ts';
import { offerOf, PAYLOAD_TYPE, receiverSdp, senderSdp } from '../janusSdp.ts';

export interface Opening extends RelayParams<'peer.open'> {
  direction: 'send' | 'receive';
  dtlsParameters: DtlsParameters;
  /** What a sender is going to send. */
  ssrc: number;
}

const capabilities = {
  codecs: [{ kind: 'video', mimeType: 'video/VP8', preferredPayloadType: PAYLOAD_TYPE, clockRate: 90_000 }],
  headerExtensions: [],
};

export class JanusRelay {
  readonly pids: number[];
  readonly #janus: Janus;
  readonly #session: JanusSession;
  readonly #room = randomInt(1, 2 ** 31);
  #publisher = 0;

  private constructor(janus: Janus, session: JanusSession) {
    this.#janus = janus;
    this.#session = session;
    this.pids = [janus.pid];
  }

  static async start(): Promise<JanusRelay> {
    const janus = await startJanus();
    try {
      const relay = new JanusRelay(janus, await JanusSession.open(janus.url));
      const handle = await relay.#session.attach();
      await relay.#session.tell(handle, { request: 'create', room: relay.#room, publishers: 1, videocodec: 'vp8' });
      return relay;
    } catch (error) {
      await janus.close();
      throw error;
    }
  }

  /** A sender publishes, a receiver subscribes to who has published. */
  async open({ direction, dtlsParameters, ssrc }: Opening): Promise<object> {
    const handle = await this.#session.attach();
    const fingerprint = dtlsParameters.fingerprints.find(({ algorithm }) => algorithm === 'sha-256')!.value;
    const join = { request: 'join', room: this.#room };
    if (direction === 'send') {
      const { data } = await this.#session.tell(handle, { ...join, ptype: 'publisher' });
      this.#publisher = Number(data['id']);
      const offer = { type: 'offer', sdp: senderSdp({ fingerprint, ssrc }) } as const;
      const { sdp } = await this.#session.tell(handle, { request: 'publish', video: true, audio: false }, offer);
      this.#session.completed(handle);
      return { capabilities, send: offerOf(sdp), receive: offerOf(sdp) };
    }
    const streams = [{ feed: this.#publisher }];
    const { sdp } = await this.#session.tell(handle, { ...join, ptype: 'subscriber', streams });
    const answer = { type: 'answer', sdp: receiverSdp({ fingerprint, offer: sdp }) } as const;
    await this.#session.tell(handle, { request: 'start' }, answer);
    this.#session.completed(handle);
    return { capabilities, send: offerOf(sdp), receive: offerOf(sdp) };
  }

  /** Has been, with the opening. */
  produced(): object {
    return { producer: randomUUID() };
  }

  consumed(): object {
    const { kind: _, preferredPayloadType: payloadType, ...codec } = capabilities.codecs[0]!;
    return {
      consumer: randomUUID(),
      rtpParameters: { codecs: [{ ...codec, payloadType }], headerExtensions: [], encodings: [{ ssrc: 1 }], rtcp: {} },
    };
  }

  async close(): Promise<void> {
    this.#session.close();
    await this.#janus.close();
  }
}
