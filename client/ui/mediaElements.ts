/** Tracks on elements: attachments for `<video>` and `<audio>` that let go of what they showed. */
import type { Attachment } from 'svelte/attachments';

/** Shows a track as long as the element is there. Videos are muted, so they may always play. */
export function showTrack(track: MediaStreamTrack): Attachment<HTMLVideoElement> {
  return (video) => {
    video.srcObject = new MediaStream([track]);
    // A rejected promise means that the element went first.
    video.play().catch(() => {});
    return () => {
      video.srcObject = null;
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
