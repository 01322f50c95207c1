/** In place of a screen: numbered pictures that change ten times a second. Chromium's own fake screen shows nothing that a test can read. */
import { cellsOf } from './picture.ts';

/** Init script of a page. @param person written into every picture, 0 … 255 */
export function screenScript(person: number): string {
  const pictures = Array.from({ length: 50 }, (_, number) => cellsOf({ person, number }).map(Number));
  return `navigator.mediaDevices.getDisplayMedia = async () => {
  const pictures = ${JSON.stringify(pictures)};
  const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
  const context = canvas.getContext('2d');
  let next = 0;
  setInterval(() => {
    pictures[next++ % pictures.length].forEach((white, i) => {
      context.fillStyle = white ? '#d7d7d7' : '#282828';
      context.fillRect((i % 8) * 80, Math.floor(i / 8) * 90, 80, 90);
    });
  }, 100);
  return canvas.captureStream();
};`;
}
