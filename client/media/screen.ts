/**
 * Asks for a screen, a window or a tab to share, with its sound where the browser gives it.
 */

export interface Screen {
  video: MediaStreamTrack;
  audio: MediaStreamTrack | null;
}

export type ScreenOutcome = { screen: Screen } | { failed: 'dismissed' | 'failed' };

/** @param ended  the person stopped sharing by the browser's own bar, or the window is gone; called once */
export async function captureScreen(ended: () => void): Promise<ScreenOutcome> {
  let stream: MediaStream;
  try {
    stream = await navigator.mediaDevices.getDisplayMedia({
      video: { frameRate: { ideal: 15, max: 30 } },
      // What the tab plays, as it is: voice processing ruins music.
      audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    });
  } catch (error) {
    const dismissed = error instanceof DOMException && error.name === 'NotAllowedError';
    return { failed: dismissed ? 'dismissed' : 'failed' };
  }
  const [video] = stream.getVideoTracks();
  const [audio = null] = stream.getAudioTracks();
  if (!video) {
    for (const track of stream.getTracks()) track.stop();
    return { failed: 'failed' };
  }
  video.contentHint = 'detail';
  video.addEventListener('ended', ended, { once: true });
  return { screen: { video, audio } };
}
