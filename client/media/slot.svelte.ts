/**
 * One kind of device: what there is, which is chosen, whether it is on, and its live track.
 *
 * A camera that is off is closed, so that its light goes out. A microphone that is off stays open here, for the level meter and for
 * "you are muted", and its track is given to nobody. Of overlapping requests the last one wins.
 */
import type { DeviceProblem, DeviceSlot } from '../meeting/view.ts';
import { capture, type Capturable } from './capture.ts';
import { findChoice, recall, remember } from './remembered.ts';

/** `opened`: another track is open now, or none. `lost`, `switched`: the device went away, and no other, or another, took its place. */
export type SlotEvent = 'opened' | 'lost' | 'switched';

export class Slot {
  readonly kind: Capturable;
  readonly #tell: (event: SlotEvent) => void;
  #list = $state.raw<DeviceSlot['list']>([]);
  #chosen = $state<string | null>(null);
  #on = $state(true);
  #problem = $state<DeviceProblem | null>(null);
  #starting = $state(false);
  #track = $state.raw<MediaStreamTrack | null>(null);
  #request = 0;
  readonly #view = $derived<DeviceSlot>({
    list: this.#list,
    chosen: this.#chosen,
    on: this.#on,
    problem: this.#problem,
    starting: this.#starting,
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

  /** A question to the person is open. */
  expect(): void {
    this.#starting = true;
  }

  setList(list: DeviceSlot['list']): void {
    this.#list = list;
    if (!this.wanted || this.#track || this.#starting) return;
    // Plugged in again, or for the first time.
    if (list.length > 0 && (this.#problem === 'unplugged' || this.#problem === 'missing')) void this.start();
  }

  async start(): Promise<void> {
    const request = ++this.#request;
    this.#starting = true;
    const captured = await capture(this.kind, this.target);
    if (request !== this.#request || !this.wanted) {
      if ('track' in captured) captured.track.stop();
      return;
    }
    if ('track' in captured) this.take(captured.track);
    else this.fail(captured.problem);
  }

  /** The slot owns the track from now on. */
  take(track: MediaStreamTrack): void {
    this.#request++;
    const former = this.#track;
    this.#starting = false;
    this.#problem = null;
    this.#track = track;
    this.#chosen = track.getSettings().deviceId ?? this.#chosen;
    track.addEventListener('ended', () => this.#ended(track));
    if (former && former !== track) former.stop();
    this.#tell('opened');
  }

  fail(problem: DeviceProblem): void {
    this.#starting = false;
    this.#problem = problem;
  }

  choose(id: string): void {
    const device = this.#list.find((one) => one.id === id);
    this.#chosen = id;
    if (device) remember({ [this.kind]: { id, label: device.label } });
    if (this.wanted) void this.start();
  }

  setOn(on: boolean): void {
    if (this.#on === on) return;
    this.#on = on;
    remember(this.kind === 'camera' ? { cameraOn: on } : { microphoneOn: on });
    if (!this.wanted) this.close();
    else if (!this.#track && !this.#starting) void this.start();
  }

  close(): void {
    this.#request++;
    this.#starting = false;
    this.#track?.stop();
    this.#track = null;
    this.#tell('opened');
  }

  /** The device was unplugged, or its permission withdrawn: take another one if there is any. */
  async #ended(track: MediaStreamTrack): Promise<void> {
    if (track !== this.#track) return;
    this.#track = null;
    const lost = this.#chosen;
    this.#chosen = null;
    const request = ++this.#request;
    this.#starting = true;
    const captured = await capture(this.kind, null);
    if (request !== this.#request || !this.wanted) {
      if ('track' in captured) captured.track.stop();
      return;
    }
    if ('track' in captured) {
      this.take(captured.track);
      if (this.#chosen !== lost) this.#tell('switched');
      return;
    }
    this.fail(captured.problem === 'missing' ? 'unplugged' : captured.problem);
    this.#tell('opened');
    this.#tell('lost');
  }
}
