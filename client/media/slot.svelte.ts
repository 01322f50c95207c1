/**
 * One kind of device: what there is, which is chosen, whether it is on, and its live track.
 *
 * A camera that is off is closed, so that its light goes out. A microphone that is off stays open here, for the level meter and for
 * "you are muted", and its track is given to nobody. Of overlapping requests the last one wins. A device that was live and broke off is
 * tried again, at growing distances, until it is switched off, closed or another is chosen.
 */
import type { DeviceProblem, DeviceSlot } from '../meeting/view.ts';
import { capture, type Capturable, type Captured } from './capture.ts';
import { findChoice, recall, remember } from './remembered.ts';

/** `opened`: another track is open now, or none. `lost`, `switched`: the device went away, and no other, or another, took its place. */
export type SlotEvent = 'opened' | 'lost' | 'switched';

/** Tries of a device that broke off: after 1, 2, 4 … seconds, then this often. */
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 30_000;

export class Slot {
  readonly kind: Capturable;
  readonly #tell: (event: SlotEvent) => void;
  #list = $state.raw<DeviceSlot['list']>([]);
  #chosen = $state<string | null>(null);
  #on = $state(true);
  #problem = $state<DeviceProblem | null>(null);
  #starting = $state(false);
  #track = $state.raw<MediaStreamTrack | null>(null);
  /** The device that was chosen and did not open, so that the former one stayed. */
  #refused = $state<string | null>(null);
  #request = 0;
  /** It was open, and nobody here closed it. */
  #brokeOff = false;
  #retries = 0;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #view = $derived<DeviceSlot>({
    list: this.#list,
    chosen: this.#chosen,
    on: this.#on,
    problem: this.#problem,
    starting: this.#starting,
    refused: this.#refused,
  });

  constructor(kind: Capturable, tell: (event: SlotEvent) => void) {
    this.kind = kind;
    this.#tell = tell;
    this.#on = recall()[kind === 'camera' ? 'cameraOn' : 'microphoneOn'] ?? true;
  }

  get view(): DeviceSlot {
    return this.#view;
  }

  /** The open device, on or off. */
  get open(): MediaStreamTrack | null {
    return this.#track;
  }

  /** What may be shown and sent. */
  get track(): MediaStreamTrack | null {
    return this.#on ? this.#track : null;
  }

  /** A microphone is open whenever it may be; a camera only while it is on. */
  get wanted(): boolean {
    return this.#on || this.kind === 'microphone';
  }

  /** The device that a remembered or a present choice means. */
  get target(): string | null {
    // Before permission the list has no ids: the remembered one is asked for all the same.
    const remembered = recall()[this.kind];
    return this.#chosen ?? findChoice(this.#list, remembered)?.id ?? remembered?.id ?? null;
  }

  /**
   * A question to the person is open.
   * @returns its number, for `settle`
   */
  expect(): number {
    this.#starting = true;
    return ++this.#request;
  }

  /** False once something else was asked for in the meantime, or nothing any more. */
  awaits(request: number): boolean {
    return request === this.#request && this.wanted;
  }

  /**
   * Takes what came of a question. What nobody waits for any more is closed: a camera's light must not stay on without an owner.
   * @returns false if it came too late
   */
  settle(request: number, captured: Captured): boolean {
    if (!this.awaits(request)) {
      if ('track' in captured) captured.track.stop();
      return false;
    }
    if ('track' in captured) this.#take(captured.track);
    else this.fail(captured.problem);
    return true;
  }

  setList(list: DeviceSlot['list']): void {
    this.#list = list;
    if (!this.wanted || this.#track || this.#starting) return;
    // Plugged in again, or for the first time.
    if (list.length > 0 && (this.#problem === 'unplugged' || this.#problem === 'missing')) void this.start();
  }

  async start(): Promise<void> {
    this.#retries = 0;
    await this.#ask(this.expect(), this.target);
  }

  fail(problem: DeviceProblem): void {
    this.#starting = false;
    if (this.#track?.readyState === 'live') return this.#keep(this.#track);
    this.#problem = problem === 'missing' && this.#brokeOff ? 'unplugged' : problem;
    if (this.#brokeOff && (problem === 'missing' || problem === 'inUse' || problem === 'unknown')) this.#retryLater();
  }

  choose(id: string): void {
    this.#endRetries();
    this.#refused = null;
    this.#chosen = id;
    this.#remember();
    if (this.wanted) void this.start();
  }

  /** Resolves when it is open, closed, or has failed. */
  async setOn(on: boolean): Promise<void> {
    if (this.#on === on) return;
    this.#on = on;
    remember(this.kind === 'camera' ? { cameraOn: on } : { microphoneOn: on });
    if (!on) this.#endRetries();
    if (!this.wanted) this.close();
    else if (!this.#track && !this.#starting) await this.start();
  }

  close(): void {
    this.#request++;
    this.#endRetries();
    this.#starting = false;
    this.#refused = null;
    this.#track?.stop();
    this.#track = null;
    this.#tell('opened');
  }

  async #ask(request: number, target: string | null): Promise<boolean> {
    return this.settle(request, await capture(this.kind, target));
  }

  /** The slot owns the track from now on. */
  #take(track: MediaStreamTrack): void {
    const former = this.#track;
    this.#endRetries();
    this.#starting = false;
    this.#problem = null;
    this.#refused = null;
    this.#track = track;
    this.#chosen = track.getSettings().deviceId ?? this.#chosen;
    track.addEventListener('ended', () => void this.#ended(track));
    if (former && former !== track) former.stop();
    this.#tell('opened');
  }

  /** Another device did not open: the one that is open goes on, and the choice is again what is true. */
  #keep(track: MediaStreamTrack): void {
    const present = track.getSettings().deviceId ?? null;
    if (present !== this.#chosen) this.#refused = this.#labelOf(this.#chosen);
    this.#problem = null;
    this.#chosen = present;
    this.#remember();
  }

  #labelOf(id: string | null): string {
    return this.#list.find((one) => one.id === id)?.label ?? '';
  }

  #remember(): void {
    const device = this.#list.find((one) => one.id === this.#chosen);
    if (device) remember({ [this.kind]: { id: device.id, label: device.label } });
  }

  #retryLater(): void {
    clearTimeout(this.#retryTimer);
    const wait = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#retries++);
    // Quietly: a screen that says "starting" every now and then says nothing.
    this.#retryTimer = setTimeout(() => {
      if (!this.#starting && !this.#track) void this.#ask(++this.#request, this.target);
    }, wait);
  }

  #endRetries(): void {
    clearTimeout(this.#retryTimer);
    this.#brokeOff = false;
    this.#retries = 0;
  }

  /** The device was unplugged, or its permission withdrawn: take another one if there is any. */
  async #ended(track: MediaStreamTrack): Promise<void> {
    if (track !== this.#track) return;
    this.#track = null;
    this.#brokeOff = true;
    const lost = this.#chosen;
    this.#chosen = null;
    if (!(await this.#ask(this.expect(), null))) return;
    if (!this.#track) {
      this.#tell('opened');
      this.#tell('lost');
    } else if (this.#chosen !== lost) this.#tell('switched');
  }
}
