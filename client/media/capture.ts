/**
 * Opens cameras and microphones, and says in our words why one does not open.
 */
import type { DeviceProblem } from '../meeting/view.ts';

export type Capturable = 'camera' | 'microphone';

/** 720p where the camera has it; the mesh scales down as peers come. */
const VIDEO: MediaTrackConstraints = {
  width: { ideal: 1280 },
  height: { ideal: 720 },
  frameRate: { ideal: 30, max: 30 },
};
const AUDIO: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

export type Captured = { track: MediaStreamTrack } | { problem: DeviceProblem };

/** Media devices are kept from pages that are not secure (W3C Media Capture §10.2). */
export function canCapture(): boolean {
  return globalThis.isSecureContext && navigator.mediaDevices !== undefined;
}

/**
 * Opens one device.
 * @param id  of the device that is meant; any if null, or if it is not there any more
 */
export async function capture(kind: Capturable, id: string | null): Promise<Captured> {
  if (!canCapture()) return { problem: 'insecureOrigin' };
  try {
    return { track: await open(kind, id) };
  } catch (error) {
    // The one that was meant is not there any more: another is better than none.
    if (
      id !== null &&
      error instanceof DOMException &&
      (error.name === 'OverconstrainedError' || error.name === 'NotFoundError')
    ) {
      return capture(kind, null);
    }
    return { problem: await problemOf(kind, error) };
  }
}

/**
 * Opens both with one question to the person. Whatever does not open does not keep the other from opening.
 * @returns null if they have to be asked for one by one
 */
export async function captureBoth(
  ids: Record<Capturable, string | null>,
): Promise<Record<Capturable, MediaStreamTrack> | null> {
  if (!canCapture()) return null;
  try {
    const stream = await navigator.mediaDevices.getUserMedia({
      video: constraints('camera', ids.camera),
      audio: constraints('microphone', ids.microphone),
    });
    const [camera] = stream.getVideoTracks();
    const [microphone] = stream.getAudioTracks();
    if (camera && microphone) return { camera: hinted(camera), microphone: hinted(microphone) };
    for (const track of stream.getTracks()) track.stop();
    return null;
  } catch {
    return null;
  }
}

/** What the browser would say to a request without asking; null where it does not tell (Firefox, Safari). */
export async function permissionOf(kind: Capturable): Promise<PermissionState | null> {
  try {
    return (await navigator.permissions.query({ name: kind as PermissionName })).state;
  } catch {
    return null;
  }
}

function constraints(kind: Capturable, id: string | null): MediaTrackConstraints {
  // `exact`: with `ideal` Chromium takes another camera whose picture size fits better.
  const device = id === null ? (kind === 'camera' ? { facingMode: 'user' } : {}) : { deviceId: { exact: id } };
  return { ...(kind === 'camera' ? VIDEO : AUDIO), ...device };
}

async function open(kind: Capturable, id: string | null): Promise<MediaStreamTrack> {
  const wanted = constraints(kind, id);
  const stream = await navigator.mediaDevices.getUserMedia(kind === 'camera' ? { video: wanted } : { audio: wanted });
  const track = stream.getTracks()[0];
  if (!track) throw new DOMException('the browser gave no track', 'NotFoundError');
  return hinted(track);
}

function hinted(track: MediaStreamTrack): MediaStreamTrack {
  track.contentHint = track.kind === 'video' ? 'motion' : 'speech';
  return track;
}

/** Names as in W3C Media Capture §10.2.1. */
async function problemOf(kind: Capturable, error: unknown): Promise<DeviceProblem> {
  const name = error instanceof DOMException ? error.name : '';
  if (name === 'NotAllowedError' || name === 'SecurityError') {
    const state = await permissionOf(kind);
    return state === 'prompt' ? 'dismissed' : 'denied';
  }
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return 'missing';
  if (name === 'NotReadableError' || name === 'AbortError') return 'inUse';
  return 'unknown';
}
