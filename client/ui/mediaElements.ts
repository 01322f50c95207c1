/** Tracks on elements: attachments for `<video>` and `<audio>` that let go of what they showed. */
import type { Attachment } from 'svelte/attachments';

/** Elements whose track has gone a moment ago, and may get another in the same task. */
const between = new WeakSet<HTMLVideoElement>();

/**
 * Shows a track as long as the element is there. Videos are muted, so they may always play. Another track in its place goes into the
 * stream that is playing: a new stream would show nothing for some frames.
 */
export function showTrack(track: MediaStreamTrack): Attachment<HTMLVideoElement> {
  return (video) => {
    const playing = video.srcObject;
    if (between.delete(video) && playing instanceof MediaStream) {
      for (const former of playing.getTracks()) playing.removeTrack(former);
      playing.addTrack(track);
    } else {
      video.srcObject = new MediaStream([track]);
    }
    // A rejected promise means that the element went first.
    video.play().catch(() => {});
    return () => {
      between.add(video);
      queueMicrotask(() => {
        if (between.delete(video)) video.srcObject = null;
      });
    };
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
    audio.srcObject = new MediaStream([track]);
    audio.play().catch((error: unknown) => {
      if (error instanceof DOMException && error.name === 'NotAllowedError') onBlocked(audio);
    });
    return () => {
      audio.srcObject = null;
    };
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
