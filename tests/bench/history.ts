/** Row 19: a newcomer's chat history, from the server's snapshot or log, against y-webrtc from a peer and against Yjs without a network. */
import type { Page } from 'playwright-core';
import { closePages } from './appCall.ts';
import type { ChatSite } from './chatSite.ts';
import { openChatSite } from './chatSite.ts';
import { fillLog, type Filled } from './filledLog.ts';
import type { Bench, Figure } from './measure.ts';
import { figure, median, takeTurns } from './measure.ts';
import { AT_A_TIME, AUTHORS, sumOfTexts } from './plainChat.ts';

const SIZES = [100, 1000, 10_000, 50_000];
/** Milliseconds, by size. */
const TARGETS = new Map([
  [10_000, 300],
  [50_000, 1500],
]);
/** Whoever has nothing after this gets nothing. */
const NEVER_MS = 20_000;
/** Sides of one round, in their order. */
const SIDES = ['snapshot', 'stock', 'log', 'alone'] as const;
type Side = (typeof SIDES)[number];

/** What everybody needs before a newcomer of a size can come. */
interface Prepared {
  readonly entrance: Awaited<ReturnType<typeof productChat.create>>;
  readonly filled: Filled;
  readonly room: string;
  readonly holder: Page;
}

async function prepare(site: ChatSite, count: number): Promise<Prepared> {
  const page = await site.product();
  const entrance = await page.evaluate(() => productChat.create());
  await closePages([page]);
  const filled = await fillLog(site.dataDir, entrance, count);
  const room = `history ${count}`;
  const holder = await site.stock();
  await holder.evaluate(
    ([signaling, room, count]) => {
      stockChat.fill(count);
      return stockChat.enter({ signaling, room, alone: true });
    },
    [site.signaling, room, count] as const,
  );
  return { entrance, filled, room, holder };
}

async function oursReads(
  site: ChatSite,
  { entrance, filled }: Prepared,
  { count, from }: { count: number; from: 'snapshot' | 'log' },
): Promise<number> {
  filled.show(from);
  const page = await site.product();
  await page.evaluate((entrance) => productChat.enter(entrance, null), entrance);
  const { ms, sum, authors, alarms } = await page.evaluate((count) => productChat.readAll(count), count);
  await closePages([page]);
  if (sum !== sumOfTexts(count) || authors !== Math.min(AUTHORS, count / AT_A_TIME) || alarms.length > 0)
    throw new Error(`the history is another, by ${authors} people, with ${alarms.join(' ') || 'no alarm'}`);
  return ms;
}

async function stockReads(site: ChatSite, { room }: Prepared, count: number): Promise<number> {
  const page = await site.stock();
  const options = { signaling: site.signaling, room, count, withinMs: NEVER_MS };
  const read = await page.evaluate((options) => stockChat.readAll(options), options);
  await closePages([page]);
  if (read !== null && read.sum !== sumOfTexts(count)) throw new Error('y-webrtc: the history is another');
  return read?.ms ?? Infinity;
}

async function aloneReads(site: ChatSite, count: number): Promise<number> {
  const page = await site.stock();
  const { ms, sum } = await page.evaluate((count) => stockChat.applyAlone(count), count);
  await closePages([page]);
  if (sum !== sumOfTexts(count)) throw new Error('Y.applyUpdate: the history is another');
  return ms;
}

/** Rounds of one size as figures; y-webrtc's are Infinity where it never had it all. */
export function figuresOf(count: number, results: Record<Side, readonly number[]>): Figure[] {
  const { snapshot: ours, log, stock, alone } = results;
  const limit = TARGETS.get(count);
  const ms = median(ours);
  const what = `${count.toLocaleString('en')} entries`;
  const againstAlone = { against: 'Y.applyUpdate alone' };
  const isNever = stock.some((ms) => ms === Infinity);
  const against: Figure = isNever
    ? { ...figure(what, 'ms', ours, ours, { against: 'y-webrtc: not within 20 s' }), other: null, ratio: null }
    : figure(what, 'ms', ours, stock, { against: 'y-webrtc' });
  return [
    { ...against, target: limit === undefined ? '' : `≤ ${limit} ms`, met: limit === undefined ? null : ms <= limit },
    figure(what, 'ms', ours, alone, againstAlone),
    figure(`${what}, where nobody has made a snapshot`, 'ms', log, alone, againstAlone),
  ];
}

/** @param ms  NaN between two that are Infinity */
function shown(ms: number): string {
  return Number.isFinite(ms) ? `${ms.toFixed(0)} ms` : 'never';
}

export const history: Bench = {
  row: 19,
  name: 'history',
  title: 'A newcomer’s chat history, from opening the chat to all of it proven and drawn',
  async run({ rounds, quick, say }) {
    const site = await openChatSite();
    const figures: Figure[] = [];
    try {
      for (const count of quick ? SIZES.slice(0, 3) : SIZES) {
        const prepared = await prepare(site, count);
        say(`${count}: filled`);
        let isNever = false;
        const read = async (side: Side): Promise<number> => {
          if (side === 'snapshot' || side === 'log') return oursReads(site, prepared, { count, from: side });
          if (side === 'alone') return aloneReads(site, count);
          // Once is enough to know it.
          const ms = isNever ? Infinity : await stockReads(site, prepared, count);
          isNever ||= ms === Infinity;
          return ms;
        };
        const results = await takeTurns(rounds, SIDES, read, !quick);
        await closePages([prepared.holder]);
        figures.push(...figuresOf(count, results));
        say(`${count}: ${SIDES.map((side) => `${side} ${shown(median(results[side]))}`).join(', ')}`);
      }
      return {
        figures,
        checked: [
          'every newcomer, in a browser profile of its own, read the same texts as were written, ours by all of their eight authors and without an alarm',
        ],
      };
    } finally {
      await site.close();
    }
  },
};
