/** What the product's chat is measured against: a Yjs array of plain texts, and y-webrtc as it comes from npm. */
import { WebrtcProvider } from 'y-webrtc';
import * as Y from 'yjs';
import { plainDocument, textOf } from '../plainChat.ts';

export interface StockChat {
  /** Joins a room. @returns once its signalling is there, or, if `alone` is false, once somebody else is and both are synced */
  enter(options: { signaling: string; room: string; alone: boolean }): Promise<void>;
  /** Puts so many texts into the document, by several authors. */
  fill(count: number): void;
  /** @returns when `push` was called, milliseconds since 1970 */
  say(text: string): number;
  /** @returns when it was in the document */
  heard(text: string): Promise<number>;
  count(): number;
  /** Joins as a newcomer. @returns milliseconds until all texts are there, and a sum over them; null: not within `withinMs` */
  readAll(options: {
    signaling: string;
    room: string;
    count: number;
    withinMs: number;
  }): Promise<{ ms: number; sum: number } | null>;
  /** No network: takes in one update with so many texts. @returns milliseconds until they can be read, and a sum over them */
  applyAlone(count: number): { ms: number; sum: number };
}

declare global {
  var stockChat: StockChat;
}

const now = (): number => performance.timeOrigin + performance.now();

const doc = new Y.Doc();
const list = doc.getArray<string>('entries');
const seen = new Map<string, number>();
const waiting = new Map<string, () => void>();
list.observe(({ changes }) => {
  const at = now();
  for (const item of changes.added)
    for (const text of item.content.getContent() as string[]) {
      seen.set(text, at);
      waiting.get(text)?.();
    }
});

function join(doc: Y.Doc, signaling: string, room: string): WebrtcProvider {
  // Everybody is on this machine: addresses from outside would only cost time.
  return new WebrtcProvider(room, doc, { signaling: [signaling], peerOpts: { config: { iceServers: [] } } });
}

const sumOf = (texts: readonly string[]): number => texts.reduce((sum, text) => sum + Number(text.split(' ')[1]), 0);

globalThis.stockChat = {
  async enter({ signaling, room, alone }) {
    const provider = join(doc, signaling, room);
    if (!alone) await new Promise((resolve) => provider.once('synced', resolve));
    else
      while (!provider.signalingConns.every(({ connected }) => connected))
        await new Promise((resolve) => setTimeout(resolve, 20));
  },
  fill(count) {
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(plainDocument(count, textOf)));
  },
  say(text) {
    const at = now();
    list.push([text]);
    return at;
  },
  async heard(text) {
    if (!seen.has(text)) await new Promise<void>((resolve) => waiting.set(text, resolve));
    return seen.get(text)!;
  },
  count: () => list.length,
  async readAll({ signaling, room, count, withinMs }) {
    const from = performance.now();
    join(doc, signaling, room);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(null), withinMs);
      const look = (): void => {
        if (list.length < count) return;
        const texts = list.toArray();
        const ms = performance.now() - from;
        clearTimeout(timer);
        doc.off('update', look);
        resolve({ ms, sum: sumOf(texts) });
      };
      doc.on('update', look);
    });
  },
  applyAlone(count) {
    const update = Y.encodeStateAsUpdate(plainDocument(count, textOf));
    const from = performance.now();
    const fresh = new Y.Doc();
    Y.applyUpdate(fresh, update);
    const texts = fresh.getArray<string>('entries').toArray();
    return { ms: performance.now() - from, sum: sumOf(texts) };
  },
};
