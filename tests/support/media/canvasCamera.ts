/**
 * A camera drawn by the page itself, with the numbered pictures of the films: where a browser plays no file, and where a bench has to know
 * the very moment of each picture. The microphone stays the browser's.
 */
import { FILM } from './films.ts';
import { GRID, cellsOf, crc8 } from './picture.ts';

declare global {
  /** When each number was last drawn, milliseconds since 1970. */
  var parleyDrawn: Map<number, number>;
}

function installCamera(cells: typeof cellsOf, grid: typeof GRID, film: typeof FILM, person: number): void {
  const native = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  globalThis.parleyDrawn = new Map();
  navigator.mediaDevices.getUserMedia = async (wanted = {}) => {
    const stream = new MediaStream();
    if (wanted.video !== undefined && wanted.video !== false) {
      const canvas = document.createElement('canvas');
      canvas.width = film.width;
      canvas.height = film.height;
      const context = canvas.getContext('2d', { willReadFrequently: true })!;
      const captured = canvas.captureStream(0) as MediaStream & { requestFrame?: () => void };
      const [track] = captured.getVideoTracks() as CanvasCaptureMediaStreamTrack[];
      let next = 0;
      const draw = (): void => {
        const number = next++ % film.frames;
        const [width, height] = [canvas.width / grid.columns, canvas.height / grid.rows];
        cells({ person, number }).forEach((white, i) => {
          context.fillStyle = white ? 'rgb(235 235 235)' : 'rgb(28 28 28)';
          context.fillRect((i % grid.columns) * width, Math.floor(i / grid.columns) * height, width, height);
        });
        // Firefox 153 has it on the stream, as an early draft had.
        if (captured.requestFrame === undefined) track!.requestFrame();
        else captured.requestFrame();
        parleyDrawn.set(number, performance.timeOrigin + performance.now());
      };
      draw();
      setInterval(draw, 1000 / film.fps);
      stream.addTrack(track!);
    }
    if (wanted.audio !== undefined && wanted.audio !== false) {
      const sound = await native({ audio: wanted.audio });
      for (const track of sound.getTracks()) stream.addTrack(track);
    }
    return stream;
  };
}

/** Init script of a page. @param person written into every picture, 0 … 255 */
export function cameraScript(person: number): string {
  return `(() => {
const NUMBERS = 4096;
${crc8.toString()}
const GRID = ${JSON.stringify(GRID)};
${cellsOf.toString()}
(${installCamera.toString()})(cellsOf, GRID, ${JSON.stringify(FILM)}, ${person});
})();`;
}
