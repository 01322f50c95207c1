/**
 * The chat's ring as far as this browser holds it: secrets that open what was written, and those that may seal what is written now.
 *
 * A secret of an older generation opens and never seals: whoever was removed may hold it. Of closed ones it remembers in which order they
 * came, since what is newer is handed on to holders of what is older, never the other way (policy.ts).
 */
import type { Bytes } from '../../../crypto/bytes.ts';
import { base64url, wipe } from '../../../crypto/bytes.ts';
import type { ChatKey, RingSecret } from '../../../crypto/chatKey.ts';
import { deriveChatKey, deriveChatKeyId, newRingSecret } from '../../../crypto/chatKey.ts';
import { mayLeadTo } from './policy.ts';

/** Several may start one at once; more than this is somebody's mischief. */
const MOST_OPEN = 16;
/** One an hour for half a year, or a newcomer every two minutes for a week. */
const MOST_CLOSED = 4096;

export interface Held extends RingSecret {
  readonly key: ChatKey;
  /** The hour in which we first held it. */
  readonly heard: number;
  /** Rises with what is begun later. */
  readonly place: number;
  /** Told to the group that we are in now, so all who were in it then hold it. */
  readonly told: boolean;
  /** Name of the one under which it is handed on; null: under none. */
  readonly from: string | null;
}

export type HeldTerms = Pick<Held, 'heard' | 'place' | 'told' | 'from'>;

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

  get all(): readonly Held[] {
    return [...this.#held.values()];
  }

  get open(): Held[] {
    return this.all.filter(({ closed }) => closed === null);
  }

  /** Oldest first; of one place by name, so that all agree. */
  get closed(): Held[] {
    const found = this.all.filter(({ closed }) => closed !== null);
    return found.sort((a, b) => a.place - b.place || (a.key.name < b.key.name ? 1 : -1));
  }

  /** The place of the newest one. */
  get newest(): number {
    return Math.max(0, ...this.all.map(({ place }) => place));
  }

  /** The latest generation of which anything is known; -1: of none. */
  get latest(): number {
    return Math.max(-1, ...this.all.map(({ generation }) => generation), ...this.#began.keys());
  }

  /** Members may start as many as they like: of one generation the first few count. @returns the name of its key, and whether that is new */
  async add(given: RingSecret, terms: HeldTerms): Promise<{ name: string; isNews: boolean }> {
    const { secret, generation, closed } = given;
    const name = base64url(await deriveChatKeyId(given, this.#meeting));
    const alike = () =>
      this.all.filter((one) => one.generation === generation && (one.closed === null) === (closed === null));
    const isFull = () => alike().length >= (closed === null ? MOST_OPEN : MOST_CLOSED);
    // What is kept is read again at each change, and has its keys already.
    if (this.#held.has(name) || isFull()) return { name, isNews: false };
    const key = await deriveChatKey(given, this.#meeting);
    if (this.#held.has(name) || isFull()) return { name, isNews: false };
    this.#held.set(name, { secret: secret.slice(), generation, closed, key, ...terms });
    return { name, isNews: true };
  }

  get(name: string): Held | null {
    return this.#held.get(name) ?? null;
  }

  /** We are in that group no more. */
  untell(): void {
    for (const [name, one] of this.#held) this.#held.set(name, { ...one, told: false });
  }

  find(keyId: Bytes): ChatKey | null {
    return this.get(base64url(keyId))?.key ?? null;
  }

  /** Of a key that is held; -1 for another. */
  generationOf(keyId: Bytes): number {
    return this.get(base64url(keyId))?.generation ?? -1;
  }

  /** The newest closed one whose holders may all have this one, which is begun now or was at `place`. */
  olderThan(newer: RingSecret, place: number): Held | null {
    return this.closed.findLast((one) => one.place <= place && mayLeadTo(one, newer)) ?? null;
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

  /** The open one to seal with; of several the one that all choose. Null where there is none of this generation. */
  openOf(generation: number): Held | null {
    const fit = this.open.filter((one) => one.generation === generation);
    return fit.sort((a, b) => (a.key.name < b.key.name ? -1 : 1))[0] ?? null;
  }

  /** Draws another secret. @returns it, as it is held now */
  async start(of: Omit<RingSecret, 'secret'>, terms: HeldTerms): Promise<Held> {
    const secret = newRingSecret();
    const { name } = await this.add({ ...of, secret }, terms);
    wipe(secret);
    const held = this.get(name);
    if (held === null) throw new RangeError('no room for another key');
    return held;
  }

  wipe(): void {
    for (const { secret, key } of this.#held.values()) {
      wipe(secret);
      key.wipe();
    }
    this.#held.clear();
  }
}
