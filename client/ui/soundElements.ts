/** Sound on `<audio>` elements: attachments that let go of what they played. Apart from pictures: the lobby plays none. */
import type { Attachment } from 'svelte/attachments';
import { attach } from './mediaElements.ts';

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
