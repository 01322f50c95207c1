/**
 * Row 12: how long a removed member could still decrypt what is sent: from the host's click to the last frame under a key that the removed one has.
 *
 * Read off the wire at a third member's: every frame says in its header which epoch's key sealed it (RFC 9605 §5.2).
 */
import { clearPrefix } from '../../crypto/clearPrefix.ts';
import { parseHeader } from '../../crypto/sframeHeader.ts';
import { totalsOf } from '../support/probe.ts';
import { appCall, openStage } from './appCall.ts';
import type { Bench } from './measure.ts';
import { median, quantile } from './measure.ts';

/** The low six bits of the epoch, as the KID has them; null for what is no sealed frame. */
function epochSlotOf(kind: string, data: string): number | null {
  const frame = Uint8Array.from(data, (character) => character.charCodeAt(0));
  const header = parseHeader(frame, clearPrefix(kind === 'camera' || kind === 'screen' ? 'vp8' : 'opus'));
  return header === null || typeof header.kid !== 'number' ? null : header.kid & 63;
}

export const removal: Bench = {
  row: 12,
  name: 'removal',
  title: 'A removed member’s last decryptable frame after the host’s click, mesh of 3',
  async run({ rounds, quick, say }) {
    const stage = await openStage();
    const last: number[] = [];
    let frames = 0;
    try {
      for (let round = 0; round < (quick ? 1 : rounds * 3); round++) {
        const call = await appCall(stage, 3, { tapped: 2 });
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
          const hostPeer = await witness!.locator('[data-testid=tile][data-name=Anna]').getAttribute('data-peer');
          const tapped = (await witness!.evaluate(() => parleyTap.frames())).filter(({ peer }) => peer === hostPeer);
          const slots = tapped.map(({ kind, data, at }) => ({ slot: epochSlotOf(kind, data), at }));
          const [old, fresh] = [slots[0]!.slot, slots.at(-1)!.slot];
          if (old === null || fresh === null || old === fresh)
            throw new Error('no change of epoch was seen on the wire');
          const lastOld = Math.max(...slots.filter(({ slot }) => slot === old).map(({ at }) => at));
          last.push(Math.max(0, lastOld - clickedAt));
          frames += tapped.length;
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
        say(`${last.at(-1)!.toFixed(0)} ms`);
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
        `${frames} frames read off the wire, with the epoch of each; 0 frames that those who stay could not open`,
      ],
    };
  },
};
