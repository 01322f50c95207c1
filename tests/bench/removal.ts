/**
 * Row 12: how long a removed member could still decrypt what is sent: from the host's click to the last frame of anybody's under a key
 * that the removed one has.
 *
 * Read off the wire at both of those who stay: every frame says in its header which epoch's key sealed it (RFC 9605 §5.2).
 */
import { epochSlotOf } from '../support/frameHeader.ts';
import { totalsOf } from '../support/probe.ts';
import { appCall, openStage } from './appCall.ts';
import type { Bench } from './measure.ts';
import { median, quantile } from './measure.ts';

interface Heard {
  slot: number | null;
  at: number;
}

/** When somebody's last frame under an epoch from before the click came. @throws Error where no change was seen */
function lastUnderOld(frames: readonly Heard[], clickedAt: number, who: string): number {
  const known = new Set(frames.filter(({ at }) => at < clickedAt).map(({ slot }) => slot));
  if (known.size === 0) throw new Error(`${who} sent nothing before the click`);
  if (known.has(null)) throw new Error(`${who} sent frames without a header`);
  if (known.has(frames.at(-1)!.slot)) throw new Error(`${who} was not seen to change the epoch`);
  return Math.max(...frames.filter(({ slot }) => known.has(slot)).map(({ at }) => at));
}

export const removal: Bench = {
  row: 12,
  name: 'removal',
  title: 'A removed member’s last decryptable frame after the host’s click, slowest sender, mesh of 3',
  async run({ rounds, quick, say }) {
    const stage = await openStage();
    const last: number[] = [];
    let frames = 0;
    try {
      for (let round = 0; round < (quick ? 1 : rounds * 3); round++) {
        const call = await appCall(stage, 3, { tapped: [0, 2] });
        try {
          const [host, , witness] = call.pages;
          await host!.getByTestId('control-people').click();
          await host!.locator('[data-testid=people-row][data-name=Ben]').getByTestId('people-remove').click();
          await host!.getByTestId('confirm-action').waitFor();
          await host!.waitForTimeout(2000);
          const clickedAt = await host!.evaluate(() => {
            document.querySelector<HTMLElement>('[data-testid=confirm-action]')!.click();
            return performance.timeOrigin + performance.now();
          });
          await host!.waitForTimeout(2500);
          const bySender: number[] = [];
          for (const [listener, name] of [
            [witness!, 'Anna'],
            [host!, 'Carla'],
          ] as const) {
            const peer = await listener.locator(`[data-testid=tile][data-name=${name}]`).getAttribute('data-peer');
            const heard = (await listener.evaluate(() => parleyTap.frames()))
              .filter((frame) => frame.peer === peer)
              .map((frame) => ({ slot: epochSlotOf(frame), at: frame.at }));
            bySender.push(Math.max(0, lastUnderOld(heard, clickedAt, name) - clickedAt));
            frames += heard.length;
          }
          last.push(Math.max(...bySender));
          say(`host ${bySender[0]!.toFixed(0)} ms, member ${bySender[1]!.toFixed(0)} ms`);
          for (const page of [host!, witness!]) {
            const totals = totalsOf(
              await page.evaluate(() => ({ transforms: parleyProbe.transforms, counts: parleyProbe.counts })),
            );
            if (totals.unopened > 0)
              throw new Error(
                `those who stay could not open ${totals.unopened} frames: ${JSON.stringify(totals.byReason)}`,
              );
          }
        } finally {
          await call.close();
        }
      }
    } finally {
      await stage.close();
    }
    const p95 = quantile(last, 0.95);
    const common = { unit: 'ms' as const, other: null, ratio: null, against: 'DAVE 2 s, Signal 5 s, Jitsi 5 s' };
    return {
      figures: [
        { what: 'median', ours: median(last), target: '', met: null, ...common },
        { what: 'p95', ours: p95, target: '≤ 300 ms', met: p95 <= 300, ...common },
      ],
      checked: [
        `${frames} frames of both who stay read off the wire, with the epoch of each; 0 frames that those who stay could not open`,
      ],
    };
  },
};
