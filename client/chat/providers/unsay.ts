/**
 * What was removed from the document leaves the log, too: its item is replaced by the same change as the document has it now.
 *
 * Only the browser that wrote an item can do so: the token follows from a secret of its own.
 */
import { ProtocolError } from '../../../signal/protocol/errors.ts';
import type { ChatDocument, Place } from '../document.ts';
import type { ChatLine, ChatPort } from './signal.ts';

/**
 * The removal itself has to be in the log before: call it once it is.
 * @param gone  where it lay
 * @throws ProtocolError · OfflineError: to be tried again
 */
export async function unsay(
  { line, port, document }: { line: ChatLine; port: ChatPort; document: ChatDocument },
  gone: readonly Place[],
): Promise<void> {
  for (let after = 0; ;) {
    const { base, head, items } = await line.request('chat.read', { after });
    const { updates } = await port.call('chat.peek', { items });
    for (const [i, item] of items.entries()) {
      const update = item.replaced === true ? null : updates[i]!;
      if (update === null || !covers(document.placesOf(update), gone)) continue;
      const { body, token } = await port.call('chat.unsay', { hash: item.hash, update: document.asItIsNow(update) });
      // Another's, who was carried over by somebody: only that one can.
      await line.request('chat.erase', { items: [{ seq: item.seq, token, body }] }).catch(unknownIsFine);
    }
    after = items.at(-1)?.seq ?? base.seq;
    if (items.length === 0 || after >= head.seq) return;
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
