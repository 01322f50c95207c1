/** Plays what comes in a page without our product, picture and sound apart, as the product does: together the picture waits for the sound. */
export function play(track: MediaStreamTrack, onPicture: () => void): HTMLMediaElement {
  const srcObject = new MediaStream([track]);
  if (track.kind === 'audio') {
    const audio = Object.assign(document.createElement('audio'), { autoplay: true, srcObject });
    document.body.append(audio);
    return audio;
  }
  const video = document.createElement('video');
  Object.assign(video, { muted: true, autoplay: true, playsInline: true, width: 320, srcObject });
  document.body.append(video);
  video.requestVideoFrameCallback(() => onPicture());
  return video;
}
