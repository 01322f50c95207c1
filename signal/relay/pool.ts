/**
 * The relays that are there, and which of them each peer of each meeting is at.
 *
 * A meeting stays at one relay while that has room; where it has not, its next peers go to another, and streams are piped between
 * them when somebody asks for one. A relay that is lost takes its meetings with it: they open anew at those that are left.
 */
import { ProtocolError } from '../protocol/errors.ts';
import type { MeetingId } from '../protocol/ids.ts';
import type {
  RelayEvent,
  RelayId,
  RelayParams,
  RelayPort,
  RelayRequestName,
  RelayResult,
} from '../protocol/relayControl.ts';
import type { PoolMember } from './member.ts';
import { Spread } from './spread.ts';

/** Below this load a relay takes more without a thought. */
const FULL = 1;

export class RelayPool implements RelayPort {
  readonly #region: string;
  readonly #onError: (error: unknown) => void;
  readonly #members = new Map<RelayId, PoolMember>();
  readonly #spreads = new Map<MeetingId, Spread>();
  readonly #listeners = new Set<(event: RelayEvent) => void>();

  /** @param region of this server; relays of the same one are nearest */
  constructor(region: string, onError: (error: unknown) => void) {
    this.#region = region;
    this.#onError = onError;
  }

  /** A relay of the same id is replaced: it has come back, and knows nothing of before. */
  add(member: PoolMember): void {
    this.remove(member.id);
    this.#members.set(member.id, member);
    member.port.onEvent((event) => {
      if (this.#members.get(member.id) === member) this.#happened(member, event);
    });
  }

  /** It is lost, with all meetings that it had. Idempotent. */
  remove(id: RelayId): void {
    if (!this.#members.delete(id)) return;
    for (const [meeting, spread] of [...this.#spreads]) if (spread.isAt(id)) this.#lost(meeting);
  }

  get members(): readonly PoolMember[] {
    return [...this.#members.values()];
  }

  get isReady(): boolean {
    return this.members.some(({ port }) => port.isReady);
  }

  /** Of all of them together. */
  get load(): number {
    const { members } = this;
    return members.reduce((sum, { port }) => sum + port.load, 0) / Math.max(1, members.length);
  }

  async request<N extends RelayRequestName>(name: N, params: RelayParams<N>): Promise<RelayResult<N>> {
    const { meeting } = params;
    const spread = this.#spreads.get(meeting) ?? this.#begin(meeting);
    try {
      return await spread.request(name, params);
    } finally {
      if (spread.isEmpty && this.#spreads.get(meeting) === spread) this.#spreads.delete(meeting);
    }
  }

  onEvent(listener: (event: RelayEvent) => void): void {
    this.#listeners.add(listener);
  }

  async close(): Promise<void> {
    const members = this.members;
    this.#members.clear();
    this.#spreads.clear();
    await Promise.all(members.map(({ port }) => port.close()));
  }

  #begin(meeting: MeetingId): Spread {
    const spread: Spread = new Spread(meeting, {
      pick: () => this.#pick(spread),
      emit: (event) => this.#emit(event),
      onError: this.#onError,
    });
    this.#spreads.set(meeting, spread);
    return spread;
  }

  /** Where the meeting is already, if there is room; then near before far, and the least busy. @throws ProtocolError relayUnavailable */
  #pick(spread: Spread): PoolMember {
    const cost = ({ id, region, port }: PoolMember): number[] => [
      port.load < FULL ? 0 : 1,
      spread.isAt(id) ? 0 : 1,
      region === this.#region ? 0 : 1,
      port.load,
    ];
    const ready = this.members.filter(({ port }) => port.isReady);
    const [first] = ready.sort((a, b) => compare(cost(a), cost(b)));
    if (!first) throw new ProtocolError('relayUnavailable');
    return first;
  }

  #happened({ id }: PoolMember, event: RelayEvent): void {
    const spread = this.#spreads.get(event.meeting);
    if (!spread?.isAt(id)) return;
    if (event.type === 'room.lost') return this.#lost(event.meeting);
    spread.happened(id, event);
  }

  #lost(meeting: MeetingId): void {
    this.#spreads.get(meeting)?.abandon();
    this.#spreads.delete(meeting);
    this.#emit({ type: 'room.lost', meeting });
  }

  #emit(event: RelayEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at === -1 ? 0 : a[at]! - b[at]!;
}
