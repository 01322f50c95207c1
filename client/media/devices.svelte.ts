/**
 * Cameras, microphones, speakers and the shared screen of this browser: what there is, what is chosen, what is on, what went wrong.
 *
 * Works without any of them. Choices are remembered in this browser.
 */
import { trackKinds, type TrackKind } from '../e2ee/messages.ts';
import type { DeviceSlot, DevicesFacade } from '../meeting/view.ts';
import { canCapture, captureBoth, permissionOf, type Capturable } from './capture.ts';
import type { Meter } from './level.ts';
import { findChoice, recall, remember } from './remembered.ts';
import { captureScreen, type Screen } from './screen.ts';
import { Slot, type SlotEvent } from './slot.svelte.ts';

export type DeviceEvent = { type: Exclude<SlotEvent, 'opened'>; kind: Capturable } | { type: 'screenEnded' };

export class Devices implements DevicesFacade {
  readonly #slots: Record<Capturable, Slot>;
  #speaker = $state.raw<DevicesFacade['speaker']>({ list: [], chosen: null, supported: false });
  #level = $state(0);
  #screen = $state.raw<Screen | null>(null);
  /** Fetched with the first microphone that opens. */
  #meter: Promise<Meter> | null = null;
  #listeners: ((event: DeviceEvent) => void)[] = [];
  #started: Promise<void> | null = null;
  /** Counts calls of `stop`: what was under way before one has no owner after it. */
  #stops = 0;
  /** The browser asks which screen. */
  #picking = false;
  /** Counts ends of sharing. */
  #shareEnds = 0;
  readonly #changed = () => void this.#list();

  constructor() {
    this.#slots = { camera: this.#slot('camera'), microphone: this.#slot('microphone') };
  }

  get camera(): DeviceSlot {
    return this.#slots.camera.view;
  }
  get microphone(): DeviceSlot {
    return this.#slots.microphone.view;
  }
  get speaker(): DevicesFacade['speaker'] {
    return this.#speaker;
  }
  get preview(): MediaStreamTrack | null {
    return this.#slots.camera.track;
  }
  get level(): number {
    return this.#level;
  }
  get sharing(): boolean {
    return this.#screen !== null;
  }

  /** Asks for what is wanted, with one question where the browser allows it. Calling it again changes nothing. */
  start(): Promise<void> {
    return (this.#started ??= this.#start());
  }

  choose(kind: 'camera' | 'microphone' | 'speaker', id: string): void {
    if (kind !== 'speaker') {
      return this.#slots[kind].choose(id);
    }
    const label = this.#speaker.list.find((one) => one.id === id)?.label ?? '';
    this.#speaker = { ...this.#speaker, chosen: id };
    remember({ speaker: { id, label } });
  }

  setOn(kind: Capturable, on: boolean): Promise<void> {
    return this.#slots[kind].setOn(on);
  }

  async retry(kind: Capturable): Promise<void> {
    await this.#slots[kind].start();
    await this.#list();
  }

  track(kind: TrackKind): MediaStreamTrack | null {
    if (kind === 'camera' || kind === 'microphone') return this.#slots[kind].track;
    return (kind === 'screen' ? this.#screen?.video : this.#screen?.audio) ?? null;
  }

  /** Asks which screen to share, once at a time. @returns false if the browser failed; that somebody thought better of it is no failure */
  async share(): Promise<boolean> {
    if (this.#screen || this.#picking) return true;
    const ends = this.#shareEnds;
    this.#picking = true;
    const outcome = await captureScreen(() => this.endShare());
    this.#picking = false;
    if ('failed' in outcome) return outcome.failed === 'dismissed';
    // Whoever left while the browser asked shares nothing.
    if (ends === this.#shareEnds) this.#screen = outcome.screen;
    else release(outcome.screen);
    return true;
  }

  /** Idempotent. */
  endShare(): void {
    this.#shareEnds++;
    const screen = this.#screen;
    if (!screen) return;
    this.#screen = null;
    release(screen);
    this.#tell({ type: 'screenEnded' });
  }

  /** @returns takes the listener off */
  onEvent(listener: (event: DeviceEvent) => void): () => void {
    this.#listeners = [...this.#listeners, listener];
    return () => {
      this.#listeners = this.#listeners.filter((one) => one !== listener);
    };
  }

  stop(): void {
    this.#stops++;
    globalThis.navigator?.mediaDevices?.removeEventListener('devicechange', this.#changed);
    for (const kind of trackKinds) if (kind === 'camera' || kind === 'microphone') this.#slots[kind].close();
    this.endShare();
    void this.#meter?.then((meter) => meter.stop()).catch(() => undefined);
    this.#started = null;
  }

  #slot(kind: Capturable): Slot {
    return new Slot(kind, (type) => {
      // The meter follows the open microphone, muted or not.
      if (type === 'opened') return kind === 'microphone' ? this.#listen(this.#slots.microphone.open) : undefined;
      this.#tell({ type, kind });
      void this.#list();
    });
  }

  #listen(track: MediaStreamTrack | null): void {
    this.#meter ??= import('./level.ts').then(({ createMeter }) => createMeter((level) => (this.#level = level)));
    // Without it only the bars stand still.
    this.#meter.then((meter) => meter.listen(track)).catch(() => (this.#meter = null));
  }

  #tell(event: DeviceEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  async #start(): Promise<void> {
    const slots = Object.values(this.#slots);
    if (!canCapture()) {
      for (const slot of slots) slot.fail('insecureOrigin');
      return;
    }
    const stops = this.#stops;
    navigator.mediaDevices.addEventListener('devicechange', this.#changed);
    const asked = slots.filter((slot) => slot.wanted).map((slot) => ({ slot, request: slot.expect() }));
    await this.#list();
    if (stops === this.#stops && !(await this.#startBoth(asked))) {
      // One question after the other: who refused one may still give the other.
      for (const { slot, request } of asked) if (slot.awaits(request)) await slot.start();
    }
    // Labels are empty until there was a permission.
    if (stops === this.#stops) await this.#list();
  }

  /** @returns false if each has to be opened by itself */
  async #startBoth(asked: readonly { slot: Slot; request: number }[]): Promise<boolean> {
    const { camera, microphone } = this.#slots;
    if (asked.length < 2 || camera.view.list.length === 0 || microphone.view.list.length === 0) return false;
    const both = await captureBoth({ camera: camera.target, microphone: microphone.target });
    if (both) {
      for (const { slot, request } of asked) slot.settle(request, { track: both[slot.kind] });
      return true;
    }
    // The question was put aside: do not ask the same again in two pieces.
    const states = await Promise.all([permissionOf('camera'), permissionOf('microphone')]);
    if (states.every((state) => state === 'prompt')) {
      for (const { slot, request } of asked) slot.settle(request, { problem: 'dismissed' });
      return true;
    }
    return false;
  }

  async #list(): Promise<void> {
    if (!canCapture()) return;
    const stops = this.#stops;
    const all = await navigator.mediaDevices.enumerateDevices().catch(() => []);
    // A list that came late would open what was plugged in again.
    if (stops !== this.#stops) return;
    const of = (kind: MediaDeviceKind) =>
      all
        .filter((one) => one.kind === kind && one.deviceId !== 'communications')
        .map(({ deviceId, label }) => ({ id: deviceId, label }));
    this.#slots.camera.setList(of('videoinput'));
    this.#slots.microphone.setList(of('audioinput'));
    const list = of('audiooutput');
    const supported = 'setSinkId' in HTMLMediaElement.prototype && list.length > 0;
    const chosen = list.some(({ id }) => id === this.#speaker.chosen)
      ? this.#speaker.chosen
      : (findChoice(list, recall().speaker)?.id ?? null);
    this.#speaker = { list, chosen, supported };
  }
}

function release({ video, audio }: Screen): void {
  video.stop();
  audio?.stop();
}

export function createDevicesFacade(): Devices {
  return new Devices();
}
