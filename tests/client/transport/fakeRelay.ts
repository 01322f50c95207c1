/** A browser's transports to a relay that exists only here, and the relay's answers. */
import type { types } from 'mediasoup-client';
import type { TransformCounts } from '../../../client/e2ee/messages.ts';
import { noCounts } from '../../../client/transport/counts.ts';
import type { SealPort } from '../../../client/transport/sealPort.ts';
import type { PeerId } from '../../../signal/protocol/ids.ts';
import type { RelayStream, StreamId } from '../../../signal/protocol/model.ts';

export const peer = (name: string) => name.padEnd(22, 'A') as PeerId;
export const stream = (of: string, kind: RelayStream['kind']): RelayStream => ({
  peer: peer(of),
  kind,
  producer: `${of}-${kind}` as StreamId,
});

export class FakeRelay {
  /** What was asked, as "name of what". */
  readonly asked: string[] = [];
  /** Answers instead of the usual one; throws are refusals. By request name. */
  readonly answers = new Map<string, () => unknown>();
  /** Transforms that are in place, by id, and those that were ended. */
  readonly transforms: string[] = [];
  readonly ended: string[] = [];
  readonly closedConsumers: string[] = [];
  readonly device = { recvRtpCapabilities: {}, sendRtpCapabilities: { codecs: [] } } as unknown as types.Device;
  #notice: (notice: { type: 'counts'; counts: TransformCounts[] }) => void = () => undefined;

  readonly port: SealPort = {
    call: ((name: string, { id }: { id: string }) => {
      if (name === 'transform.end') this.ended.push(id);
      return Promise.resolve({});
    }) as never,
    onNotice: (listener) => ((this.#notice = listener), () => undefined),
    transform: ({ id }) => void this.transforms.push(id),
    onDead: () => () => undefined,
  };

  readonly request = async (name: string, params: Record<string, unknown>): Promise<never> => {
    const what = params['producer'] ?? params['consumer'] ?? params['kind'];
    this.asked.push(what === undefined ? name : `${name} ${String(what)}`);
    const answer = this.answers.get(name);
    if (answer) return (await answer()) as never;
    return { consumer: `of ${String(params['producer'])}`, rtpParameters: { codecs: [] }, producer: 'mine' } as never;
  };

  /** The newest transform whose id has these words in it. */
  transform(...words: string[]): string {
    return this.transforms.findLast((id) => words.every((word) => id.includes(word)))!;
  }

  counts(id: string, passed: number, forged = 0): TransformCounts {
    const counts = noCounts(id);
    return { ...counts, passed, dropped: { ...counts.dropped, forged } };
  }

  /** The worker tells its totals. */
  count(id: string, passed: number): void {
    this.#notice({ type: 'counts', counts: [this.counts(id, passed)] });
  }

  transport(state = 'connected'): FakeTransport {
    return new FakeTransport(this, state);
  }
}

export class FakeTransport {
  connectionState: string;
  closed = false;
  /** The next call of these throws. */
  fails: unknown = null;
  /** Which stream of the page's each consumer is in. */
  readonly streamIds: string[] = [];
  /** How often ICE was restarted. */
  restarts = 0;
  readonly #relay: FakeRelay;
  readonly #listeners = new Map<string, (...args: never[]) => void>();

  constructor(relay: FakeRelay, state: string) {
    this.#relay = relay;
    this.connectionState = state;
  }
  get as(): types.Transport {
    return this as unknown as types.Transport;
  }
  on(event: string, listener: (...args: never[]) => void): void {
    this.#listeners.set(event, listener);
  }
  become(state: string): void {
    this.connectionState = state;
    this.#listeners.get('connectionstatechange')?.(state as never);
  }
  async consume(options: { id: string; streamId: string; onRtpReceiver(receiver: unknown): void }): Promise<unknown> {
    this.streamIds.push(options.streamId);
    options.onRtpReceiver({});
    if (this.fails) throw this.fails;
    return {
      id: options.id,
      track: { id: options.id },
      rtpReceiver: {},
      rtpParameters: {},
      close: () => this.#relay.closedConsumers.push(options.id),
    };
  }
  async produce(options: { onRtpSender(sender: unknown): void }): Promise<unknown> {
    options.onRtpSender({ track: null, replaceTrack: async () => undefined });
    if (this.fails) throw this.fails;
    return { rtpParameters: { mid: '1' } };
  }
  async restartIce(): Promise<void> {
    this.restarts++;
  }
  async getStats(): Promise<Map<string, unknown>> {
    return new Map();
  }
  close(): void {
    this.closed = true;
  }
}
