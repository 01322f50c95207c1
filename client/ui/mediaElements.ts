/** Tracks on elements: attachments for `<video>` and `<audio>` that let go of what they showed. */
import type { Attachment } from 'svelte/attachments';

/** Elements whose track has gone a moment ago, and may get another in the same task. */
const between = new WeakSet<HTMLMediaElement>();

/**
 * Another track in the place of one goes into the stream that is playing, both in one task: a new stream would show nothing for some
 * frames, and be silent for as long.
 * @returns lets go of it
 */
function attach(element: HTMLMediaElement, track: MediaStreamTrack): () => void {
  const playing = element.srcObject;
  if (between.delete(element) && playing instanceof MediaStream) {
    const former = playing.getTracks();
    playing.addTrack(track);
    for (const one of former) if (one !== track) playing.removeTrack(one);
  } else {
    element.srcObject = new MediaStream([track]);
  }
  return () => {
    between.add(element);
    queueMicrotask(() => {
      if (between.delete(element)) element.srcObject = null;
    });
  };
}

/** Shows a track as long as the element is there. Videos are muted, so they may always play. */
export function showTrack(track: MediaStreamTrack): Attachment<HTMLVideoElement> {
  return (video) => {
    const letGo = attach(video, track);
    // A rejected promise means that the element went first.
    video.play().catch(() => {});
    return letGo;
  };
}

/**
 * Plays a track's sound.
 * @param onBlocked the browser wants a click first; call `play()` on the element from one
 */
export function playTrack(
  track: MediaStreamTrack,
  onBlocked: (element: HTMLAudioElement) => void,
): Attachment<HTMLAudioElement> {
  return (audio) => {
    const letGo = attach(audio, track);
    audio.play().catch((error: unknown) => {
      if (error instanceof DOMException && error.name === 'NotAllowedError') onBlocked(audio);
    });
    return letGo;
  };
}

/** Sends an element's sound to a speaker; null is the system's. Where the browser cannot choose, nothing happens. */
export function routeTo(speaker: string | null): Attachment<HTMLAudioElement> {
  return (audio) => {
    if (!('setSinkId' in audio)) return;
    // Gone, or not allowed: the sound stays where it is.
    audio.setSinkId(speaker ?? '').catch(() => {});
  };
}
