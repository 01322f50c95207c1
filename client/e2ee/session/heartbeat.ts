/**
 * Who shows signs of life, and our own.
 *
 * Each member seals a heartbeat to all, over signal and over every data channel. Any sealed message or frame that opens counts
 * as well. Silence for three intervals is shown as lost; for twice as long, at least `GONE_MS`, it is a reason to commit the member away.
 * All by the clock of what has come in, so that a thread that lags behind calls nobody lost whose signs of life lie in its queue. When more
 * than half of the others are lost, sending pauses: perhaps it is not they who are cut off, but we who are being fooled.
 * Nothing that the server says about presence counts here. docs/design.md, "The group".
 */
import type { PeerId } from '../../../signal/protocol/ids.ts';
import type { Desk } from './ports.ts';

const INTERVAL_MS = 2000;
const MAX_INTERVAL_MS = 10_000;
/** 20 members still beat every 2 s; 100 every 10 s. */
const MS_PER_MEMBER = 100;
const MISSED = 3;
const GONE_MS = 30_000;

export interface HeartbeatEvents {
  /** Time to send one. */
  beat: () => void | Promise<void>;
  /** Somebody became lost, or showed up again. */
  changed: () => void | Promise<void>;
  /** Lost for so long that they may be committed away; called on every beat as long as it lasts. */
  gone: (peers: PeerId[]) => void;
  paused: (paused: boolean) => void;
}

export class Heartbeat {
  readonly #ports: Desk;
  readonly #events: HeartbeatEvents;
  readonly #heardAt = new Map<PeerId, number>();
  #lost: ReadonlySet<PeerId> = new Set();
  #paused = false;
  /** Lost ones in spite of whom the person wants to go on. */
  #forgiven: ReadonlySet<PeerId> = new Set();
  #lastTick: number;
  #gaveTimeAt = -Infinity;
  #cancel: (() => void) | null = null;

  constructor(ports: Desk, events: HeartbeatEvents) {
    this.#ports = ports;
    this.#events = events;
    this.#lastTick = ports.arrivedAt();
  }

  get intervalMs(): number {
    return Math.min(MAX_INTERVAL_MS, Math.max(INTERVAL_MS, this.#heardAt.size * MS_PER_MEMBER));
  }

  get #goneMs(): number {
    return Math.max(GONE_MS, 2 * MISSED * this.intervalMs);
  }

  start(): void {
    this.#tick();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  isLost(peer: PeerId): boolean {
    return this.#lost.has(peer);
  }

  /** How many were not heard for two intervals; `most`: more than half of the others. */
  missing(): 'nobody' | 'some' | 'most' {
    const since = this.#ports.arrivedAt() - 2 * this.intervalMs;
    const count = [...this.#heardAt.values()].filter((at) => at <= since).length;
    if (count === 0) return 'nobody';
    return count * 2 > this.#heardAt.size ? 'most' : 'some';
  }

  /** The members but ourselves. Newcomers get three intervals, like everybody. */
  setPeers(peers: readonly PeerId[]): void {
    const now = this.#ports.arrivedAt();
    for (const peer of this.#heardAt.keys()) if (!peers.includes(peer)) this.#heardAt.delete(peer);
    for (const peer of peers) if (!this.#heardAt.has(peer)) this.#heardAt.set(peer, now);
    this.#judge();
  }

  /** @returns true if the peer was lost until now */
  heard(peer: PeerId): boolean {
    if (!this.#heardAt.has(peer)) return false;
    this.#heardAt.set(peer, Math.max(this.#heardAt.get(peer)!, this.#ports.arrivedAt()));
    if (!this.#lost.has(peer)) return false;
    this.#judge();
    return true;
  }

  /** The way to the others is back. Once in a while, or a server that keeps breaking it would keep everybody from being gone. */
  resumed(): void {
    if (this.#ports.arrivedAt() - this.#gaveTimeAt < this.#goneMs) return;
    this.#gaveTimeAt = this.#ports.arrivedAt();
    this.#giveTime();
  }

  /** They get time to show up before anybody is called lost for longer. */
  #giveTime(): void {
    const earliest = this.#ports.arrivedAt() - MISSED * this.intervalMs;
    for (const [peer, at] of this.#heardAt) if (at < earliest) this.#heardAt.set(peer, earliest);
  }

  /** "Go on": sending resumes until somebody else is lost. */
  goOn(): void {
    this.#forgiven = this.#lost;
    this.#judge();
  }

  #tick(): void {
    const now = this.#ports.arrivedAt();
    // A tick that comes far too late: the device slept. Nobody else did, and their silence was ours.
    if (now - this.#lastTick > MISSED * this.intervalMs) this.#giveTime();
    this.#lastTick = now;
    this.#judge();
    const gone = [...this.#heardAt].filter(([, at]) => now - at >= this.#goneMs).map(([peer]) => peer);
    if (gone.length > 0) this.#events.gone(gone);
    this.#ports.post(() => this.#events.beat());
    this.#cancel = this.#ports.after(this.intervalMs, () => this.#tick());
  }

  #judge(): void {
    const since = this.#ports.arrivedAt() - MISSED * this.intervalMs;
    const lost = new Set([...this.#heardAt].filter(([, at]) => at <= since).map(([peer]) => peer));
    const same = lost.size === this.#lost.size && [...lost].every((peer) => this.#lost.has(peer));
    this.#lost = lost;
    const counted = [...lost].filter((peer) => !this.#forgiven.has(peer)).length;
    // Once somebody forgiven is back, losing them again counts again.
    this.#forgiven = new Set([...this.#forgiven].filter((peer) => lost.has(peer)));
    const paused = counted > 0 && lost.size * 2 > this.#heardAt.size;
    if (!same) this.#ports.post(() => this.#events.changed());
    if (paused === this.#paused) return;
    this.#paused = paused;
    this.#events.paused(paused);
  }
}
