/** A browser's media devices that a test plugs, breaks and makes wait; only as much of them as the devices use. */
import { vi } from 'vitest';

export class FakeTrack extends EventTarget {
  readyState: 'live' | 'ended' = 'live';
  contentHint = '';
  readonly kind: 'audio' | 'video';
  readonly #deviceId: string;

  constructor(kind: 'audio' | 'video', deviceId: string) {
    super();
    this.kind = kind;
    this.#deviceId = deviceId;
  }
  getSettings(): MediaTrackSettings {
    return { deviceId: this.#deviceId };
  }
  stop(): void {
    this.readyState = 'ended';
  }
  /** The device is gone. */
  breakOff(): void {
    this.stop();
    this.dispatchEvent(new Event('ended'));
  }
}

type Plugged = { deviceId: string; kind: MediaDeviceKind; label: string };
type Asked = { audio?: MediaTrackConstraints; video?: MediaTrackConstraints };

export class FakeMedia extends EventTarget {
  plugged: Plugged[] = [
    { deviceId: 'cam', kind: 'videoinput', label: 'Camera' },
    { deviceId: 'mic', kind: 'audioinput', label: 'Microphone' },
    { deviceId: 'usb', kind: 'audioinput', label: 'USB microphone' },
    { deviceId: 'loud', kind: 'audiooutput', label: 'Loudspeaker' },
    { deviceId: 'head', kind: 'audiooutput', label: 'Headphones' },
  ];
  readonly busy = new Set<string>();
  readonly tracks: FakeTrack[] = [];
  questions = 0;
  pickers = 0;
  /** Questions stay open until then. */
  answered: Promise<void> = Promise.resolve();

  async enumerateDevices(): Promise<Plugged[]> {
    return this.plugged;
  }

  async getUserMedia({ audio, video }: Asked): Promise<{ getTracks: () => FakeTrack[] }> {
    this.questions++;
    await this.answered;
    return this.#stream([
      ...(video ? [this.#open('video', video)] : []),
      ...(audio ? [this.#open('audio', audio)] : []),
    ]);
  }

  async getDisplayMedia(): Promise<{ getTracks: () => FakeTrack[] }> {
    this.pickers++;
    await this.answered;
    return this.#stream([this.#kept(new FakeTrack('video', 'screen'))]);
  }

  /** Unplugs what has this id, or plugs it in. */
  plug(change: (plugged: Plugged[]) => Plugged[]): void {
    this.plugged = change(this.plugged);
    this.dispatchEvent(new Event('devicechange'));
  }

  #open(kind: 'audio' | 'video', { deviceId }: MediaTrackConstraints): FakeTrack {
    const wanted = (deviceId as { exact: string } | undefined)?.exact;
    const device = this.plugged.find(
      (one) => one.kind === `${kind}input` && (wanted === undefined || one.deviceId === wanted),
    );
    if (!device) throw new DOMException('', 'NotFoundError');
    if (this.busy.has(device.deviceId)) throw new DOMException('', 'NotReadableError');
    return this.#kept(new FakeTrack(kind, device.deviceId));
  }

  #kept(track: FakeTrack): FakeTrack {
    this.tracks.push(track);
    return track;
  }

  #stream(tracks: FakeTrack[]) {
    return {
      getTracks: () => tracks,
      getVideoTracks: () => tracks.filter(({ kind }) => kind === 'video'),
      getAudioTracks: () => tracks.filter(({ kind }) => kind === 'audio'),
    };
  }
}

/** Puts it where the devices look for it; `vi.unstubAllGlobals()` takes it away. */
export function fakeMedia(): FakeMedia {
  const media = new FakeMedia();
  const kept = new Map<string, string>();
  vi.stubGlobal('isSecureContext', true);
  vi.stubGlobal('navigator', { mediaDevices: media });
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
  });
  vi.stubGlobal(
    'HTMLMediaElement',
    class {
      setSinkId() {}
    },
  );
  vi.stubGlobal('MediaStream', class {});
  vi.stubGlobal(
    'AnalyserNode',
    class {
      fftSize = 4;
      getFloatTimeDomainData() {}
    },
  );
  vi.stubGlobal(
    'AudioContext',
    class {
      createMediaStreamSource = () => ({ connect() {}, disconnect() {} });
      close = () => Promise.resolve();
    },
  );
  return media;
}
