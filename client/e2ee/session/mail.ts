/**
 * Sealed messages between members: writing them, opening them, and refusing what is forged, repeated or misplaced, and news that is
 * older than what we have.
 *
 * Sealed in the newest epoch, opened in every epoch whose keys still live. One for an epoch that we have not reached waits
 * for it, within limits. Invariant: what is handed on was sealed by that very member for us, and is handed on once.
 */
import type { Bytes } from '../../../crypto/bytes.ts';
import { base64url, fromBase64url, fromUtf8, utf8, wipe } from '../../../crypto/bytes.ts';
import { SequenceGuard, open, parseEnvelopeHeader, seal } from '../../../crypto/envelope.ts';
import type { Group } from '../../../crypto/group.ts';
import type { Member } from '../../../crypto/mlsState.ts';
import type { PeerId } from '../../../signal/protocol/ids.ts';
import type { MessageKind } from '../messages.ts';
import type { Epochs, LiveEpoch } from './epochs.ts';
import { stagedMessageKey } from './epochs.ts';
import type { Desk } from './ports.ts';

/** Messages that wait for an epoch: enough for the moment between two members' receiving a commit. */
const MAX_EARLY = 256;
/** Epochs ahead of ours that a message may claim and still be kept. */
const MAX_AHEAD = 16;

/** Of these each one counts: a candidate that overtook its offer must not make the offer old news. */
const STEPS: ReadonlySet<string> = new Set(['mesh.signal'] satisfies MessageKind[]);

export interface Letter {
  readonly from: Member;
  readonly kind: string;
  /** JSON text. */
  readonly body: string;
  /** The epoch it was sealed in. */
  readonly epoch: number;
}

export interface MailOptions {
  /** Not kept for a peer that is away: only worth something now. */
  readonly transient?: boolean;
  /** Over the data channels of the mesh, too. */
  readonly everyPath?: boolean;
  /** Sealed in an older epoch that still lives, for somebody who has not come further. */
  readonly epoch?: number;
}

/** What did not lead to a letter. `early`: kept for later. `unopened`: does not open although its epoch is here. */
export type NoLetter =
  | { readonly why: 'early' | 'ahead'; readonly epoch: number }
  | { readonly why: 'unopened'; readonly epoch: number; readonly leaf: number }
  | { readonly why: 'malformed' | 'past' | 'replayed' };

export class Mail {
  readonly #ports: Desk;
  readonly #group: Group;
  readonly #epochs: Epochs;
  readonly #self: PeerId;
  readonly #guard = new SequenceGuard(STEPS);
  #sequence = 0;
  #early: { epoch: number; bytes: Bytes }[] = [];

  constructor(ports: Desk, group: Group, epochs: Epochs, self: PeerId) {
    this.#ports = ports;
    this.#group = group;
    this.#epochs = epochs;
    this.#self = self;
  }

  /** Seals a message and sends it; failures of the way there are nobody's concern but the resumed connection's. */
  async send(to: PeerId | null, kind: string, body: string, options: MailOptions = {}): Promise<void> {
    const { current } = this.#epochs;
    const epoch = options.epoch === undefined ? current : this.#epochs.find(options.epoch);
    if (epoch === null) return;
    const text = await this.#seal(epoch, to, kind, body);
    if (options.everyPath) this.#ports.emit({ type: 'broadcast', body: text });
    const params = { to, body: text, ...(options.transient ? { transient: true } : {}) };
    this.#ports.send('message.send', params).catch(() => undefined);
  }

  /** Seals a message to all in the newest epoch, for the page to send when it wants to. */
  prepare(kind: string, body: string): Promise<string> {
    return this.#seal(this.#epochs.current, null, kind, body);
  }

  /** The same in the epoch that our staged commit leads to: for what travels with it. */
  async prepareAhead(kind: string, body: string): Promise<string> {
    const messageKey = await stagedMessageKey(this.#group);
    const text = await this.#seal({ epoch: this.#group.epoch + 1, messageKey }, null, kind, body);
    wipe(messageKey);
    return text;
  }

  async #seal(
    epoch: Pick<LiveEpoch, 'epoch' | 'messageKey'>,
    to: PeerId | null,
    kind: string,
    body: string,
  ): Promise<string> {
    const sealed = await seal({
      key: epoch.messageKey,
      groupId: this.#group.groupId,
      epoch: epoch.epoch,
      senderLeafKey: this.#group.ownLeafKey,
      leaf: this.#group.ownLeaf,
      sign: (label, bytes) => this.#group.sign(label, bytes),
      to: to ?? '',
      kind,
      sequence: ++this.#sequence,
      body: utf8(body),
    });
    return base64url(sealed);
  }

  /** Opens what came for us over any path. */
  async open(text: string): Promise<Letter | NoLetter> {
    try {
      return await this.#open(fromBase64url(text));
    } catch {
      return { why: 'malformed' };
    }
  }

  /** Those that waited for an epoch that is here by now. */
  async openEarly(): Promise<Letter[]> {
    const { epoch } = this.#epochs.current;
    const due = this.#early.filter((early) => early.epoch <= epoch);
    this.#early = this.#early.filter((early) => early.epoch > epoch);
    const letters: Letter[] = [];
    for (const { bytes } of due) {
      const letter = await this.#open(bytes);
      if (!('why' in letter)) letters.push(letter);
    }
    return letters;
  }

  async #open(bytes: Bytes): Promise<Letter | NoLetter> {
    const { epoch, leaf } = parseEnvelopeHeader(bytes);
    const live = this.#epochs.find(epoch);
    if (live === null) return this.#misplaced(epoch, bytes);
    const from = live.members.get(leaf);
    if (from === undefined || leaf === this.#group.ownLeaf) return { why: 'unopened', epoch, leaf };
    const message = await this.#unseal(live, from, bytes);
    if (message === null) return { why: 'unopened', epoch, leaf };
    const { kind, sequence, body } = message;
    if (!this.#guard.accept(from.peer, kind, sequence)) return { why: 'replayed' };
    return { from, kind, body: fromUtf8(body), epoch };
  }

  #misplaced(epoch: number, bytes: Bytes): NoLetter {
    const current = this.#epochs.current.epoch;
    if (epoch <= current) return { why: 'past' };
    if (epoch > current + MAX_AHEAD) return { why: 'ahead', epoch };
    this.#early.push({ epoch, bytes });
    if (this.#early.length > MAX_EARLY) this.#early.shift();
    return { why: 'early', epoch };
  }

  async #unseal({ epoch, messageKey }: LiveEpoch, { leafKey }: Member, bytes: Bytes) {
    try {
      const context = { key: messageKey, groupId: this.#group.groupId, epoch, senderLeafKey: leafKey };
      return await open({ ...context, expectTo: this.#self }, bytes);
    } catch {
      return null;
    }
  }
}
