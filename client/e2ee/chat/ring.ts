/**
 * The chat's ring as far as this browser holds it: secrets that open what was written, and one that seals what is written now.
 *
 * A secret of an older generation opens and never seals: whoever was removed may hold it.
 */
import type { Bytes } from '../../../crypto/bytes.ts';
import { base64url, wipe } from '../../../crypto/bytes.ts';
import type { ChatKey, RingSecret } from '../../../crypto/chatKey.ts';
import { deriveChatKey, deriveChatRoom, newRingSecret } from '../../../crypto/chatKey.ts';

/** Several may start one at once; more than this is somebody's mischief. */
const MOST_OF_ONE = 16;

interface Held extends RingSecret {
  readonly key: ChatKey;
}

export class Ring {
  readonly #meeting: string;
  readonly #held = new Map<string, Held>();
  /** By generation: where in the log it was first told. */
  readonly #began = new Map<number, number>();

  constructor(meeting: string) {
    this.#meeting = meeting;
  }

  get size(): number {
    return this.#held.size;
  }

  /** Members may start as many as they like: of one generation the first few count. @returns how many were new */
  async add(secrets: readonly RingSecret[]): Promise<number> {
    let added = 0;
    for (const { secret, generation } of secrets) {
      const key = await deriveChatKey({ secret, generation }, this.#meeting);
      const count = [...this.#held.values()].filter((one) => one.generation === generation).length;
      if (this.#held.has(key.name) || count >= MOST_OF_ONE) continue;
      this.#held.set(key.name, { secret: secret.slice(), generation, key });
      added += 1;
    }
    return added;
  }

  get names(): string[] {
    return [...this.#held.keys()];
  }

  find(keyId: Bytes): ChatKey | null {
    return this.#held.get(base64url(keyId))?.key ?? null;
  }

  /** Of a key that is held; -1 for another. */
  generationOf(keyId: Bytes): number {
    return this.#held.get(base64url(keyId))?.generation ?? -1;
  }

  /**
   * The ring was told to holders of another link at this place of the log. From there on keys of older generations seal nothing.
   * @returns whether that is news
   */
  began(generation: number, seq: number): boolean {
    const known = this.#began.get(generation);
    if (known !== undefined && known <= seq) return false;
    this.#began.set(generation, seq);
    return true;
  }

  get beginnings(): ReadonlyMap<number, number> {
    return this.#began;
  }

  /** The last place in the log where a key may have been used. */
  endOf(keyId: Bytes): number {
    const own = this.generationOf(keyId);
    return Math.min(Infinity, ...[...this.#began].filter(([generation]) => generation > own).map(([, seq]) => seq));
  }

  /** The key to seal with; of several the one that all choose. Null where there is none of this generation. */
  sealing(generation: number): ChatKey | null {
    return this.#sealing(generation)?.key ?? null;
  }

  /** Of the key to seal with: where browsers that hold it meet, and with which password. */
  async room(generation: number): Promise<{ room: string; password: string } | null> {
    const held = this.#sealing(generation);
    return held && deriveChatRoom(held, this.#meeting);
  }

  /** Draws another secret. */
  async start(generation: number): Promise<ChatKey> {
    const secret = newRingSecret();
    await this.add([{ secret, generation }]);
    const key = await deriveChatKey({ secret, generation }, this.#meeting);
    wipe(secret);
    return key;
  }

  get secrets(): RingSecret[] {
    return [...this.#held.values()].map(({ secret, generation }) => ({ secret, generation }));
  }

  #sealing(generation: number): Held | null {
    const fit = [...this.#held.values()].filter((one) => one.generation === generation);
    return fit.sort((a, b) => (a.key.name < b.key.name ? -1 : 1))[0] ?? null;
  }

  wipe(): void {
    for (const { secret, key } of this.#held.values()) {
      wipe(secret);
      key.wipe();
    }
    this.#held.clear();
  }
}
