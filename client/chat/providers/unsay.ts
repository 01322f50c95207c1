/**
 * What was removed from the document leaves the log, too: its item is replaced by the same change as the document has it now.
 *
 * Only the browser that wrote an item can do so: the token follows from a secret of its own.
 */
import type { ChatItem } from '../../../signal/protocol/chat.ts';
import { ProtocolError } from '../../../signal/protocol/errors.ts';
import type { ChatDocument, Place } from '../document.ts';
import type { ChatLine, ChatPort } from './signal.ts';

/** In one request (protocol/chat.ts). */
const MOST_AT_ONCE = 64;

/**
 * The removal itself has to be in the log before: call it once it is.
 * @param gone  where it lay
 * @throws ProtocolError · OfflineError: to be tried again
 */
export async function unsay(
  { line, port, document }: { line: ChatLine; port: ChatPort; document: ChatDocument },
  gone: readonly Place[],
): Promise<void> {
  // Of changes of several parts, those of which not all have been read yet.
  let parts: ChatItem[] = [];
  for (let after = 0; ;) {
    const page = await line.request('chat.read', { after });
    const items = [...parts, ...page.items.filter(({ replaced }) => replaced !== true)];
    const { updates, large, open } = await port.call('chat.peek', { items });
    const single = updates.flatMap((update, i) => (update === null ? [] : [{ update, of: [i] }]));
    for (const { update, of } of [...single, ...large]) {
      if (!covers(document.placesOf(update), gone)) continue;
      const hashes = of.map((i) => items[i]!.hash);
      const { items: others } = await port.call('chat.unsay', { hashes, update: document.asItIsNow(update) });
      const erasures = others.map((other, i) => ({ seq: items[of[i]!]!.seq, ...other }));
      // Another's, who was carried over by somebody: only that one can.
      for (let at = 0; at < erasures.length; at += MOST_AT_ONCE)
        await line.request('chat.erase', { items: erasures.slice(at, at + MOST_AT_ONCE) }).catch(unknownIsFine);
    }
    parts = open.map((i) => items[i]!);
    after = page.items.at(-1)?.seq ?? page.base.seq;
    if (page.items.length === 0 || after >= page.head.seq) return;
  }
}

function covers(places: readonly Place[], gone: readonly Place[]): boolean {
  return places.some(({ client, clock, length }) =>
    gone.some((one) => one.client === client && one.clock >= clock && one.clock < clock + length),
  );
}

function unknownIsFine(error: unknown): void {
  if (!(error instanceof ProtocolError) || error.code !== 'chatUnknown') throw error;
}
