/**
 * The way to one peer: attempts at a connection, one after the other, and what to do when one breaks.
 *
 * A path that is lost gets an ICE restart; an attempt that failed gets a successor. A connection on which the watchdog saw unsealed
 * frames is closed at once, and rebuilt only a few times: then it stays closed, and says why.
 */
import type { PeerId } from '../../signal/protocol/ids.ts';
import type { TrackKind, TransformCounts } from '../e2ee/messages.ts';
import { backoffMs } from '../net/backoff.ts';
import { MeshConnection, type ConnectionOptions } from './meshConnection.ts';
import { Outbox } from './outbox.ts';
import type { MeshSignal, SignalData } from './signals.ts';
import type { PathState } from './transport.ts';

/** At this pace ICE is restarted while a path is lost. */
const RESTART_MS = 2500;
/** Both notice that a path is lost, at about the same time: one restart is for both. */
const SAME_RESTART_MS = 1000;
/** An attempt that is not connected by then is given up: longer than ICE on a bad network takes. */
const ATTEMPT_MS = 15_000;
const ATTEMPT_PACE_MS = 1000;
/** ICE that has both descriptions and has not found a way by then is called stuck: a relay is faster than its last tries. */
const STUCK_MS = 2000;
/** Candidates that wait with an offer. */
const MOST_SIGNALS = 64;
/** Unsafe connections are rebuilt this often, then no more. */
const UNSAFE_REBUILDS = 3;

export interface MeshPeerOptions extends Omit<ConnectionOptions, 'on' | 'initiator'> {
  offering: boolean;
  /** No member yet, but soon, by the server's word: everything is made ready, and nothing is sent. */
  expected: boolean;
  /** Seals and sends a `mesh.signal` to this peer. */
  send(signal: MeshSignal): void;
  on: {
    state(state: PathState): void;
    track(kind: TrackKind, track: MediaStreamTrack | null): void;
    data(body: string): void;
    /** ICE has found nothing, or not in time: another way is wanted. */
    stuck(): void;
  };
}

export class MeshPeer {
  readonly peer: PeerId;
  readonly #options: MeshPeerOptions;
  #connection: MeshConnection | null = null;
  #outbox: Outbox | null = null;
  #number = 0;
  #state: PathState = { at: 'connecting' };
  /** Timer of the present attempt: its deadline, the next restart, or the next attempt. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  #begunAt = -Infinity;
  #restartedAt = -Infinity;
  /** An offer that waits for its turn. */
  #next: { connection: number; signals: SignalData[] } | null = null;
  #nextTimer: ReturnType<typeof setTimeout> | undefined;
  #stuckTimer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #unsafe = 0;
  #shown = new Set<TrackKind>();
  #closed = false;

  constructor(options: MeshPeerOptions) {
    this.#options = options;
    this.peer = options.peer;
    // Both sides: who answers has its connection ready when the offer comes.
    this.#begin(1);
  }

  get expected(): boolean {
    return this.#options.expected;
  }

  /** The peer is a member now: what was made ready goes out. */
  admit(): void {
    if (!this.#options.expected) return;
    this.#options.expected = false;
    this.#outbox?.open();
    this.#later(ATTEMPT_MS, () => this.#failed());
  }

  get connection(): MeshConnection | null {
    return this.#connection;
  }

  get state(): PathState {
    return this.#state;
  }

  receive(signal: MeshSignal): void {
    if (this.#closed) return;
    const { connection, data } = signal;
    if (this.#options.offering) {
      // The other may have been without an attempt, or behind ours: its wish counts unless this one works.
      if (data.type === 'rebuild' && (connection === this.#number || !this.#works)) return this.#failed();
      if (connection !== this.#number) return;
      if (data.type === 'restart') this.#askRestart();
      else this.#connection?.signal(data);
      return;
    }
    if (connection < this.#number) return;
    if (connection === this.#number) return this.#connection?.signal(data);
    if (this.#exhausted) return;
    if (data.type === 'offer') this.#next = { connection, signals: [data] };
    else if (this.#next?.connection === connection && this.#next.signals.length < MOST_SIGNALS)
      this.#next.signals.push(data);
    else return;
    const wait = this.#attemptWait();
    if (wait === 0) this.#takeNext();
    else this.#nextTimer ??= setTimeout(() => this.#takeNext(), wait);
  }

  /** Answering: the newest offer that came, and its candidates. */
  #takeNext(): void {
    clearTimeout(this.#nextTimer);
    this.#nextTimer = undefined;
    const next = this.#next;
    this.#next = null;
    if (!next || this.#closed || next.connection <= this.#number) return;
    this.#begin(next.connection);
    for (const signal of next.signals) this.#connection?.signal(signal);
  }

  /** Each attempt is a connection of the browser's, of which there are not many: nobody makes us begin them faster than this. */
  #attemptWait(): number {
    return Math.max(0, this.#begunAt + ATTEMPT_PACE_MS - performance.now());
  }

  publish(kind: TrackKind, track: MediaStreamTrack | null): Promise<void> {
    return this.#connection?.publish(kind, track) ?? Promise.resolve();
  }

  /** Read at the next attempt too. */
  configure(change: { held?: boolean; others?: number }): void {
    Object.assign(this.#options, change);
    if (change.held !== undefined) this.#connection?.hold(change.held);
    if (change.others !== undefined) this.#connection?.setOthers(change.others);
  }

  counted(counts: TransformCounts): void {
    this.#connection?.counted(counts);
  }

  /** The network changed. */
  refresh(): void {
    if (this.#exhausted) return;
    if (this.#connection && this.#state.at !== 'connecting') this.#restart();
    else this.#rebuild(0);
  }

  /** Nothing comes on a connection that is up: most likely an address has changed, and ICE will notice in a few seconds only. */
  fellSilent(): void {
    if (this.#works) this.#restart();
  }

  setPoor(poor: boolean): void {
    if (this.#state.at === 'connected' && this.#state.poor !== poor) this.#become({ at: 'connected', poor });
  }

  /** The watchdog's verdict: what flows on this connection is not sealed, or not opened. */
  distrust(detail: 'clearFrames' | 'nothingOpened'): void {
    this.#drop();
    this.#unsafe++;
    this.#become({ at: 'unsafe', detail });
    if (!this.#exhausted) this.#rebuild(backoffMs(this.#unsafe + 1, 0));
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#nextTimer);
    this.#drop();
    this.#become({ at: 'closed' });
  }

  get #works(): boolean {
    return this.#connection?.pc.connectionState === 'connected';
  }

  #present(): PathState {
    if (!this.#works) return { at: 'connecting' };
    const opened = [...(this.#connection?.receiving.values() ?? [])].some((one) => one.counts.passed > 0);
    return opened ? { at: 'connected', poor: false } : { at: 'securing' };
  }

  get #exhausted(): boolean {
    return this.#unsafe > UNSAFE_REBUILDS;
  }

  #begin(number: number): void {
    this.#drop(false);
    this.#number = number;
    // The first is ours, made before anybody asked.
    if (number > 1) this.#begunAt = performance.now();
    this.#connection = new MeshConnection({
      ...this.#options,
      initiator: this.#options.offering,
      on: {
        signal: (data) => this.#outbox?.push(data),
        state: (state) => this.#connectionState(state),
        data: (body) => this.#options.on.data(body),
        opened: (kind, track) => this.#opened(kind, track),
      },
    });
    this.#outbox = new Outbox(this.#connection.pc, !this.#options.expected, (data) => this.#send(data, number));
    if (!this.#options.expected) this.#later(ATTEMPT_MS, () => this.#failed());
  }

  /** Answering, and no offer yet: ask for one now and then, should it have been lost. */
  #await(): void {
    this.#later(ATTEMPT_MS, () => {
      this.#send({ type: 'rebuild' });
      this.#await();
    });
  }

  #send(data: SignalData, connection = this.#number): void {
    if (!this.#closed && !this.#options.expected) this.#options.send({ connection, data });
  }

  #connectionState(state: 'connecting' | 'connected' | 'disconnected' | 'closed'): void {
    clearTimeout(this.#stuckTimer);
    if (state === 'closed') {
      if (!this.#options.expected) this.#options.on.stuck();
      return this.#failed();
    }
    if (state === 'connecting') this.#stuckTimer = setTimeout(() => this.#options.on.stuck(), STUCK_MS);
    if (state === 'connected') {
      clearTimeout(this.#timer);
      this.#failures = 0;
      this.#become(this.#present());
    } else if (state === 'disconnected') {
      this.#become({ at: 'reconnecting', since: this.#lostSince() });
      // ICE has waited for seconds before it said so; and where the path comes back by itself, a restart is in nobody's way.
      this.#restart();
    }
  }

  #opened(kind: TrackKind, track: MediaStreamTrack): void {
    this.#shown.add(kind);
    this.#options.on.track(kind, track);
    if (this.#state.at !== 'connected') this.#become({ at: 'connected', poor: false });
  }

  #restart(): void {
    this.#askRestart();
    const deadline = performance.now() + ATTEMPT_MS;
    const again = () => {
      if (this.#works) return;
      if (performance.now() > deadline) return this.#failed();
      this.#askRestart();
      this.#later(RESTART_MS, again);
    };
    this.#later(RESTART_MS, again);
  }

  #askRestart(): void {
    if (!this.#options.offering) return this.#send({ type: 'restart' });
    const now = performance.now();
    if (now - this.#restartedAt < SAME_RESTART_MS) return;
    this.#restartedAt = now;
    this.#connection?.restartIce();
  }

  #failed(): void {
    if (this.#closed) return;
    if (this.#shown.size > 0 || this.#state.at === 'reconnecting')
      this.#become({ at: 'reconnecting', since: this.#lostSince() });
    else if (this.#state.at !== 'unsafe') this.#become({ at: 'connecting' });
    this.#rebuild(backoffMs(this.#failures++, 0));
  }

  #rebuild(afterMs: number): void {
    this.#drop(false);
    if (this.#exhausted) return;
    if (!this.#options.offering) {
      this.#send({ type: 'rebuild' });
      return this.#await();
    }
    this.#later(Math.max(afterMs, this.#attemptWait()), () => this.#begin(this.#number + 1));
  }

  /** Ends the present attempt. `gone`: its tracks are taken away too, else the last picture stays until the next attempt's. */
  #drop(gone = true): void {
    clearTimeout(this.#timer);
    // Of an attempt that is over nobody wants to hear that it is stuck.
    clearTimeout(this.#stuckTimer);
    this.#outbox?.close();
    this.#connection?.close();
    this.#outbox = this.#connection = null;
    if (!gone) return;
    for (const kind of this.#shown) this.#options.on.track(kind, null);
    this.#shown.clear();
  }

  #lostSince(): number {
    return this.#state.at === 'reconnecting' ? this.#state.since : Date.now();
  }

  #later(ms: number, what: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.#closed) what();
    }, ms);
  }

  #become(state: PathState): void {
    if (this.#state.at === 'closed') return;
    this.#state = state;
    this.#options.on.state(state);
  }
}
