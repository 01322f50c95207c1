/**
 * What hosts have decided: the newest state that we have seen, whoever brought it.
 *
 * Believed for its signature alone. A lower version is refused, and so is the same version with another text: then the host's
 * key has signed two, or somebody plays with us. Once seen, a version is remembered by this browser (`keep`), so that a
 * server cannot roll it back with a reload.
 */
import type { Bytes } from '../../../crypto/bytes.ts';
import { fromBase64url } from '../../../crypto/bytes.ts';
import { verifyText } from '../../../crypto/signed.ts';
import { HostState, labels, type Signed } from '../../../signal/protocol/documents.ts';
import { jsonOf } from '../access.ts';

export type HostStateVerdict = 'newer' | 'same' | 'older' | 'forged';

export interface HostStateTerms {
  readonly meeting: string;
  readonly hostPublicKey: Bytes;
  /** Remembered from earlier visits. */
  readonly known: Signed | null;
  readonly keep: (signed: Signed) => void;
}

export class HostStates {
  readonly #terms: HostStateTerms;
  #signed: Signed | null = null;
  #state: HostState | null = null;

  private constructor(terms: HostStateTerms) {
    this.#terms = terms;
  }

  static async open(terms: HostStateTerms): Promise<HostStates> {
    const states = new HostStates(terms);
    if (terms.known !== null) await states.accept(terms.known);
    return states;
  }

  get signed(): Signed | null {
    return this.#signed;
  }

  get state(): HostState | null {
    return this.#state;
  }

  /** 0 where no host has decided anything; a host's first has version 1. */
  get version(): number {
    return this.#state?.version ?? 0;
  }

  get locked(): boolean {
    return this.#state?.locked ?? false;
  }

  isBanned(identity: string): boolean {
    return this.#state?.bans.includes(identity) ?? false;
  }

  async accept(signed: Signed): Promise<HostStateVerdict> {
    if (signed.body === this.#signed?.body) return 'same';
    const { meeting, hostPublicKey, keep } = this.#terms;
    if (!(await verifyText(labels.hostState, signed.body, fromBase64url(signed.signature), hostPublicKey)))
      return 'forged';
    const state = HostState.safeParse(jsonOf(signed.body));
    if (!state.success || state.data.meeting !== meeting) return 'forged';
    if (state.data.version < this.version) return 'older';
    if (state.data.version === this.version) return 'forged';
    this.#signed = signed;
    this.#state = state.data;
    keep(signed);
    return 'newer';
  }
}
