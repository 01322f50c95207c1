/** Totals of a transform that has seen nothing yet. */
import type { TransformCounts } from '../e2ee/messages.ts';

export function noCounts(id: string): TransformCounts {
  const dropped = {
    noKey: 0,
    unknownKey: 0,
    earlier: 0,
    forged: 0,
    replayed: 0,
    wrongSender: 0,
    malformed: 0,
    shed: 0,
  };
  return { id, passed: 0, empty: 0, dropped };
}
