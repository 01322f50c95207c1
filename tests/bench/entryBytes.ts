/** Row 20: what a chat entry of forty characters takes up, at the server and in a browser, against plain Yjs. */
import * as Y from 'yjs';
import { closePages } from './appCall.ts';
import { openChatSite } from './chatSite.ts';
import { fillLog } from './filledLog.ts';
import type { Bench, Figure } from './measure.ts';
import { plainDocument, plainEntry, randomTextOf, sumOfTexts, TEXT_LENGTH } from './plainChat.ts';

/** Enough for what there is once, as the ring and a database's first pages, not to count. */
const ENTRIES = 5000;
/** Of plain Yjs. */
const LIMIT = 1.6;
const SNAPSHOT_LIMIT = 1.1;

/** Bytes of each entry in plain Yjs that says who, when and what: as updates, one for each, and as one document. */
export function plainBytes(count: number): { updates: number; document: number } {
  let updates = 0;
  const doc = plainDocument(count, plainEntry, (update) => (updates += update.length));
  return { updates: updates / count, document: Y.encodeStateAsUpdate(doc).length / count };
}

/** @param limit  null where the row asks nothing */
export function bytesFigure(
  what: string,
  ours: number,
  other: number,
  { against, limit }: { against: string; limit: number | null },
): Figure {
  const ratio = ours / other;
  const target = limit === null ? '' : `≤ ${limit} ×`;
  return { what, unit: 'B', ours, other, ratio, against, target, met: limit === null ? null : ratio <= limit };
}

export const entryBytes: Bench = {
  row: 20,
  name: 'entryBytes',
  title: `Bytes of a stored chat entry of ${TEXT_LENGTH} characters`,
  async run({ quick, say }) {
    const count = quick ? 1000 : ENTRIES;
    const site = await openChatSite();
    try {
      const maker = await site.product();
      const entrance = await maker.evaluate(() => productChat.create());
      await closePages([maker]);
      const filled = await fillLog(site.dataDir, entrance, count);
      filled.show('snapshot');
      const page = await site.product();
      await page.evaluate((entrance) => productChat.enter(entrance, null), entrance);
      const { sum } = await page.evaluate((count) => productChat.readAll(count), count);
      if (sum !== sumOfTexts(count)) throw new Error('the browser has another history');
      await closePages([page]);
      const other = await site.product();
      const random = await other.evaluate(() => productChat.create());
      await closePages([other]);
      const drawn = await fillLog(site.dataDir, random, count, randomTextOf);
      const plain = plainBytes(count);
      say(`${count} entries: ${filled.bodies} B of bodies, ${filled.database} B of the database`);
      const updates = { against: 'plain Yjs, an update for each', limit: LIMIT };
      const snapshot = { against: 'plain Yjs, one document', limit: SNAPSHOT_LIMIT };
      const document = { against: 'plain Yjs, one document', limit: null };
      return {
        figures: [
          bytesFigure('server: sealed items, an item for each entry', filled.bodies / count, plain.updates, updates),
          bytesFigure('server: its database, with ids, hashes and base64url', filled.database / count, plain.updates, {
            ...updates,
            limit: null,
          }),
          bytesFigure('server: a snapshot', filled.snapshot / count, plain.document, snapshot),
          bytesFigure('server: a snapshot of texts drawn at random', drawn.snapshot / count, plain.document, snapshot),
          bytesFigure(
            'server: the former in its database, as base64url',
            filled.stored / count,
            plain.document,
            document,
          ),
        ],
        checked: ['a newcomer read every text from the snapshot before its store was measured'],
      };
    } finally {
      await site.close();
    }
  },
};
