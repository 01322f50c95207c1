/** A tab that draws numbered pictures all over itself: what somebody shares who shares a screen. */
import type { BrowserContext, Page } from 'playwright-core';
import { GRID, NUMBERS, cellsOf, crc8 } from './picture.ts';

const PICTURES_PER_SECOND = 10;

function draw(cells: typeof cellsOf, grid: typeof GRID, person: number, numbers: number, fps: number): void {
  const canvas = document.querySelector('canvas')!;
  canvas.width = innerWidth;
  canvas.height = innerHeight;
  const context = canvas.getContext('2d')!;
  const [width, height] = [canvas.width / grid.columns, canvas.height / grid.rows];
  let next = 0;
  setInterval(() => {
    cells({ person, number: next++ % numbers }).forEach((white, i) => {
      context.fillStyle = white ? 'rgb(235 235 235)' : 'rgb(28 28 28)';
      context.fillRect((i % grid.columns) * width, Math.floor(i / grid.columns) * height, width, height);
    });
  }, 1000 / fps);
}

/** @param person written into every picture, 0 … 255 */
export async function openNumberTab(context: BrowserContext, title: string, person: number): Promise<Page> {
  const page = await context.newPage();
  await page.setContent(
    `<!doctype html><title>${title}</title><style>body { margin: 0 } canvas { display: block }</style><canvas></canvas>`,
  );
  await page.evaluate(`(() => {
const NUMBERS = ${NUMBERS};
${crc8.toString()}
const GRID = ${JSON.stringify(GRID)};
${cellsOf.toString()}
(${draw.toString()})(cellsOf, GRID, ${person}, NUMBERS, ${PICTURES_PER_SECOND});
})()`);
  return page;
}
