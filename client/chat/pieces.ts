/** A change cut into smaller ones: what was written in a week without a network goes to the log bit by bit, and what has arrived need not go again. */
import * as Y from 'yjs';
import { updateOf } from './document.ts';

type Bytes = Uint8Array<ArrayBuffer>;
type Struct = Y.GC | Y.Item | Y.Skip;

/**
 * @param most  bytes of a piece, unless a single struct is larger
 * @returns changes that come to the same when they are taken in, in this order; what is removed comes with the last
 */
export function piecesOf(update: Bytes, most: number): Bytes[] {
  if (update.length <= most) return [update];
  const { structs, ds } = Y.decodeUpdate(update);
  const pieces: Map<number, Struct[]>[] = [];
  let [piece, room] = [new Map<number, Struct[]>(), 0];
  for (const struct of structs) {
    const size = sizeOf(struct);
    // A piece begins with something, so that it says where it goes on.
    if (struct instanceof Y.Skip && !piece.has(struct.id.client)) continue;
    if (size > room && !(struct instanceof Y.Skip)) {
      [piece, room] = [new Map<number, Struct[]>(), most];
      pieces.push(piece);
    }
    const { client } = struct.id;
    const ofClient = piece.get(client);
    if (ofClient === undefined) piece.set(client, [struct]);
    else ofClient.push(struct);
    room -= size;
  }
  const updates = pieces.map((one, i) => updateOf(one, i === pieces.length - 1 ? [...ds.clients] : []));
  return updates.length > 0 ? updates : [update];
}

function sizeOf(struct: Struct): number {
  const encoder = new Y.UpdateEncoderV1();
  struct.write(encoder, 0);
  return encoder.toUint8Array().length;
}
