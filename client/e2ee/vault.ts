/**
 * What this browser remembers about people and meetings, typed, on top of a store.
 *
 * The identity and the list of people met are a convenience: where nothing can be stored, they last as long as the worker.
 * The host's secrets are not: without them a meeting has no host, so failing to keep one is an error.
 */
import type { Bytes } from '../../crypto/bytes.ts';
import { wipe } from '../../crypto/bytes.ts';
import { createIdentity } from '../../crypto/identity.ts';
import type { KeyPair } from '../../crypto/primitives.ts';
import type { Signed } from '../../signal/protocol/documents.ts';
import type { MeetingId, PeerId } from '../../signal/protocol/ids.ts';
import type { Rotation } from './session/terms.ts';
import type { Store } from './store.ts';
import type { TabSecret, TabSecretTerms } from './tabSecret.ts';
import { openTabSecret, replaced, sealTabSecret } from './tabSecret.ts';

/** Leaves of this browser whose owners may still come back after a reload. */
const MAX_LEAVES = 32;
/** Beyond this, people met longest ago are new again. */
const MAX_MET = 10_000;

/** The host secret of a meeting and what its holder must not repeat. */
export interface HostSecrets {
  /** Ed25519 seed. */
  readonly seed: Bytes;
  readonly sequence: number;
  /** A generation that members know of and the server perhaps not; `before` is the secret that the server knew. */
  readonly rotation: (Rotation & { readonly before: Bytes; readonly tried: boolean }) | null;
}

export class Vault {
  readonly #store: Store;
  #identity: Promise<KeyPair> | null = null;
  #met: Map<string, number> | null = null;
  #tabs: Promise<void> = Promise.resolve();

  constructor(store: Store) {
    this.#store = store;
  }

  /** The lasting identity of this browser; made when first asked for. */
  identity(): Promise<KeyPair> {
    this.#identity ??= this.#loadIdentity();
    return this.#identity;
  }

  /**
   * Another identity from now on: to whoever met this browser it is a stranger. The old one is overwritten, and so is what led
   * from it to its leaves. @throws whatever the browser says when it does not store: the old one would come back
   */
  async replaceIdentity(): Promise<void> {
    const old = await this.identity();
    const identity = await createIdentity();
    await this.#update<KeyPair>('identity', () => identity);
    await this.#update<[PeerId, Bytes][]>('leaves', () => []);
    this.#identity = Promise.resolve(identity);
    wipe(old.privateKey);
  }

  /** Identities met so far, by base64url, and when. */
  async met(): Promise<Map<string, number>> {
    this.#met ??= new Map((await this.#read<[string, number][]>('met')) ?? []);
    return this.#met;
  }

  async meet(identity: string, now: number): Promise<void> {
    const add = (met: Map<string, number>): [string, number][] => {
      met.delete(identity);
      met.set(identity, now);
      return [...met].slice(-MAX_MET);
    };
    add(await this.met());
    await this.#update<[string, number][]>('met', (met) => add(new Map(met))).catch(() => undefined);
  }

  host(meeting: MeetingId): Promise<HostSecrets | null> {
    return this.#read<HostSecrets>(`host ${meeting}`);
  }

  /** What is not changed stays as it is, whichever tab wrote it. @throws whatever the browser says when it does not store */
  async keepHost(meeting: MeetingId, change: HostSecrets | Partial<HostSecrets>): Promise<void> {
    // Copied now: the caller may wipe its own while the store still waits for the disk.
    const copy = structuredClone(change);
    await this.#update<Partial<HostSecrets>>(`host ${meeting}`, (before) => ({ ...before, ...copy }));
  }

  hostState(meeting: MeetingId): Promise<Signed | null> {
    return this.#read<Signed>(`state ${meeting}`);
  }

  async keepHostState(meeting: MeetingId, state: Signed): Promise<void> {
    await this.#update(`state ${meeting}`, () => state).catch(() => undefined);
  }

  /** The public key of a leaf that this browser had, so that a new one can take its place. */
  async leafKey(peer: PeerId): Promise<Bytes | null> {
    const leaves = await this.#read<[PeerId, Bytes][]>('leaves');
    return leaves?.find(([known]) => known === peer)?.[1] ?? null;
  }

  async keepLeafKey(peer: PeerId, leafKey: Bytes): Promise<void> {
    const add = (leaves: [PeerId, Bytes][] | undefined): [PeerId, Bytes][] =>
      [...(leaves ?? []), [peer, leafKey] as [PeerId, Bytes]].slice(-MAX_LEAVES);
    await this.#update<[PeerId, Bytes][]>('leaves', add).catch(() => undefined);
  }

  /** What a password turned into, for the tab that was `peer`; null where nothing is kept for it. */
  async tabSecret(terms: TabSecretTerms, now: number): Promise<Bytes | null> {
    return openTabSecret((await this.#read<TabSecret[]>('tabs')) ?? [], terms, now);
  }

  /** Keeps it for a reload of this tab, in the place of what was kept for the peers that it was. @param stretched 32 bytes, copied */
  keepTabSecret(terms: TabSecretTerms, stretched: Bytes, change: { gone: PeerId[]; now: number }): Promise<void> {
    const copy = stretched.slice();
    return this.#changeTabs(change, async () => {
      const next = await sealTabSecret(terms, copy, change.now);
      wipe(copy);
      return next;
    });
  }

  forgetTabSecret(peer: PeerId, now: number): Promise<void> {
    return this.#changeTabs({ gone: [peer], now }, async () => null);
  }

  /** One after the other: what is kept and forgotten in one breath must be forgotten in the end. */
  #changeTabs(change: { gone: PeerId[]; now: number }, make: () => Promise<TabSecret | null>): Promise<void> {
    this.#tabs = this.#tabs.then(async () => {
      const next = await make();
      await this.#update<TabSecret[]>('tabs', (kept) => replaced(kept ?? [], { ...change, next })).catch(
        () => undefined,
      );
    });
    return this.#tabs;
  }

  async #loadIdentity(): Promise<KeyPair> {
    const stored = await this.#read<KeyPair>('identity');
    if (stored !== null) return stored;
    const identity = await createIdentity();
    // Two tabs may make one each at the same moment: the first that is stored is this browser's.
    await this.#update<KeyPair>('identity', (before) => before ?? identity).catch(() => undefined);
    return (await this.#read<KeyPair>('identity')) ?? identity;
  }

  #update<T>(name: string, change: (before: T | undefined) => T): Promise<void> {
    return this.#store.update(name, (before) => change(before as T | undefined));
  }

  /** Only this worker writes here, so what is there has the shape it was given. */
  async #read<T>(name: string): Promise<T | null> {
    const value = await this.#store.get(name).catch(() => undefined);
    return value === undefined ? null : (value as T);
  }
}
