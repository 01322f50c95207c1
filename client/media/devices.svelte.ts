/**
 * Cameras, microphones and speakers of this browser: what there is, what is chosen, what is on, and what went wrong.
 */
import type { TrackKind } from '../e2ee/messages.ts';
import type { DeviceSlot, DevicesFacade } from '../meeting/view.ts';

const empty: DeviceSlot = { list: [], chosen: null, on: true, problem: null, starting: false };

class Devices implements DevicesFacade {
  #camera = $state.raw<DeviceSlot>(empty);
  #microphone = $state.raw<DeviceSlot>(empty);
  #speaker = $state.raw<DevicesFacade['speaker']>({ list: [], chosen: null, supported: false });
  #preview = $state.raw<MediaStreamTrack | null>(null);
  #level = $state(0);
  get camera(): DeviceSlot {
    return this.#camera;
  }
  get microphone(): DeviceSlot {
    return this.#microphone;
  }
  get speaker(): DevicesFacade['speaker'] {
    return this.#speaker;
  }
  get preview(): MediaStreamTrack | null {
    return this.#preview;
  }
  get level(): number {
    return this.#level;
  }
  async start(): Promise<void> {}
  choose(_kind: 'camera' | 'microphone' | 'speaker', _id: string): void {}
  setOn(_kind: 'camera' | 'microphone', _on: boolean): void {}
  retry(_kind: 'camera' | 'microphone'): void {}
  track(_kind: TrackKind): MediaStreamTrack | null {
    return null;
  }
  stop(): void {}
}

export function createDevicesFacade(): DevicesFacade {
  return new Devices();
}
