/**
 * A picture of a name, as a track: what stands in the small window while the one who speaks has no camera on. Made on this page and for
 * it: it is never sent.
 */

/** The shape of most cameras, so that the window keeps its own. */
const WIDTH = 640;
const HEIGHT = 360;
/** Whoever begins to look at a track has to get a picture soon. */
const EVERY_MS = 300;

/** @returns the track, and what ends it */
export function nameCard(name: string, letters: string): { track: MediaStreamTrack; end: () => void } {
  const canvas = Object.assign(document.createElement('canvas'), { width: WIDTH, height: HEIGHT });
  const context = canvas.getContext('2d', { alpha: false });
  const draw = (): void => {
    if (context) drawName(context, name, letters);
  };
  draw();
  // A canvas is captured only while its page is seen, and the small window is for when it is not: Chromium has another way.
  const generator = globalThis.MediaStreamTrackGenerator && new globalThis.MediaStreamTrackGenerator({ kind: 'video' });
  const writer = generator?.writable.getWriter();
  const show = (): void => {
    if (!writer) return draw();
    const frame = new VideoFrame(canvas, { timestamp: Math.round(performance.now() * 1000) });
    writer.write(frame).catch(() => frame.close());
  };
  const track = generator ?? canvas.captureStream().getVideoTracks()[0]!;
  show();
  const timer = setInterval(show, EVERY_MS);
  return {
    track,
    end: () => {
      clearInterval(timer);
      writer?.close().catch(() => undefined);
      track.stop();
    },
  };
}

function drawName(context: CanvasRenderingContext2D, name: string, letters: string): void {
  const style = getComputedStyle(document.documentElement);
  const colour = (token: string): string => style.getPropertyValue(token);
  context.fillStyle = colour('--tile');
  context.fillRect(0, 0, WIDTH, HEIGHT);
  context.fillStyle = colour('--avatar');
  context.beginPath();
  context.arc(WIDTH / 2, HEIGHT * 0.42, 84, 0, Math.PI * 2);
  context.fill();
  context.fillStyle = colour('--avatar-text');
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.font = '600 64px system-ui, sans-serif';
  context.fillText(letters, WIDTH / 2, HEIGHT * 0.42);
  context.fillStyle = colour('--text');
  context.font = '500 34px system-ui, sans-serif';
  context.fillText(name, WIDTH / 2, HEIGHT * 0.84, WIDTH - 48);
}
