/** Pictures on elements: attachments for `<video>` that let go of what they showed, and what soundElements.ts shares with them. */
import type { Attachment } from 'svelte/attachments';

/** Elements whose track has gone a moment ago, and may get another in the same task. */
const between = new WeakSet<HTMLMediaElement>();

/**
 * Another track in the place of one goes into the stream that is playing, both in one task: a new stream would show nothing for some
 * frames, and be silent for as long. Unless the two have one id, as a track and its successor by another attempt at a connection have:
 * Chromium (156) then takes the other for the one that is there.
 * @returns lets go of it
 */
export function attach(element: HTMLMediaElement, track: MediaStreamTrack): () => void {
  const playing = element.srcObject;
  if (between.delete(element) && playing instanceof MediaStream && playing.getTrackById(track.id) === null) {
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

/** Calls `run` once, when the first picture is there to be seen. */
export function onFirstPicture(run: () => void): Attachment<HTMLVideoElement> {
  return (video) => {
    if ('requestVideoFrameCallback' in video) {
      const waiting = video.requestVideoFrameCallback(() => run());
      return () => video.cancelVideoFrameCallback(waiting);
    }
    const element: HTMLElement = video;
    element.addEventListener('loadeddata', run, { once: true });
    return () => element.removeEventListener('loadeddata', run);
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
