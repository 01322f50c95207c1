/**
 * What follows a host's decisions: removing somebody, locking, ending.
 *
 * A removal is a commit first (committing.ts, at once), and with it the next generation starts: a new link with the same
 * password, sealed in the epoch that the commit leads to. It travels with the commit, so a host who is gone a moment later leaves
 * nobody without a link. Old ones open nothing from the commit on, because it ends their generation (crypto/removal.ts).
 */
import { base64url } from '../../../crypto/bytes.ts';
import type { Group } from '../../../crypto/group.ts';
import type { Transition } from '../../../crypto/step.ts';
import {
  DEFAULT_CHAT_TERMS,
  type ChatHead,
  type ChatTerms,
  type HostState,
} from '../../../signal/protocol/documents.ts';
import type { MeetingId, PeerId } from '../../../signal/protocol/ids.ts';
import type { Params } from '../../../signal/protocol/requests.ts';
import type { Access } from '../access.ts';
import { nextAccess } from '../access.ts';
import type { Host } from '../host.ts';
import { makeTerms } from '../host.ts';
import type { HostStates } from './hostStates.ts';
import type { Mail } from './mail.ts';
import type { Outbox } from './outbox.ts';
import type { Desk } from './ports.ts';
import type { Rotation } from './terms.ts';

export interface HostingTerms {
  readonly desk: Desk;
  readonly meeting: MeetingId;
  readonly group: Group;
  readonly host: Host;
  readonly title: string;
  readonly mail: Mail;
  readonly outbox: Outbox;
  readonly states: HostStates;
  readonly access: () => Access;
  /** A rotation that the server has not heard of yet survives a reload; null when it has. */
  readonly keepRotation: (rotation: Rotation | null) => Promise<void>;
  /** We hold the next generation. */
  readonly accept: (access: Access) => Promise<void>;
  readonly decided: () => void;
}

const DAY_MS = 86_400_000;

/** What goes along with a commit of ours that ends a generation. */
export type CommitRotation = NonNullable<Params<'group.commit'>['rotation']>;

export class Hosting {
  readonly #terms: HostingTerms;
  /** Went along with a commit that may be ordered. */
  #offered: { generation: number; rotation: Rotation } | null = null;

  constructor(terms: HostingTerms) {
    this.#terms = terms;
  }

  /** Of the next order that ends a generation. */
  nextGeneration(): number {
    return Math.max(this.#terms.access().generation, this.#terms.group.floor) + 1;
  }

  /** The generation that our staged removal starts. What an earlier one would have started never was. */
  async rotation(): Promise<CommitRotation> {
    const generation = this.nextGeneration();
    const rotation = await this.#make(generation, true);
    const { record, access, secret } = rotation;
    this.#offered = { generation, rotation };
    // First: once it is ordered, only this secret opens our own meeting to us.
    await this.#terms.keepRotation(rotation);
    const told = JSON.stringify({ record, secret: base64url(secret) });
    return { record, access, letter: await this.#terms.mail.prepareAhead('generation', told) };
  }

  /** Tells the server to close a peer's connection, and not to let it in again. */
  async turnOut(peer: PeerId): Promise<void> {
    const { desk, meeting, host, outbox } = this.#terms;
    const sequence = await host.nextSequence(desk.serverNow());
    outbox.put('host.command', { command: await host.signCommand({ action: 'remove', meeting, peer, sequence }) });
  }

  /** Our own removal was ordered: what it began is carried through. */
  async entered({ removed, by }: Transition): Promise<void> {
    const { group, access, keepRotation } = this.#terms;
    const thrown = removed.filter(({ reason }) => reason.kind === 'host').map(({ member }) => member);
    const offered = this.#offered;
    this.#offered = null;
    if (thrown.length === 0 || by.leaf !== group.ownLeaf) {
      if (offered !== null) await keepRotation(null);
      return;
    }
    const generation = Math.max(access().generation + 1, group.floor);
    await this.#startGeneration(generation, offered?.generation === generation ? offered.rotation : null);
    for (const { peer } of thrown) await this.turnOut(peer as PeerId);
    const bans = thrown.map(({ identity }) => base64url(identity)).filter((identity) => !this.#isOurs(identity));
    await this.#decide((state) => ({ ...state, bans: [...new Set([...state.bans, ...bans])].slice(-256) }));
  }

  async lock(locked: boolean): Promise<void> {
    await this.#decide((state) => ({ ...state, locked }));
  }

  async chatTerms(chat: ChatTerms): Promise<void> {
    const now = this.#terms.desk.now();
    await this.#decide((state) => {
      const before = state.chat ?? this.#terms.access().record.settings.chat ?? DEFAULT_CHAT_TERMS;
      const days = [before, chat].map(({ keepDays }) => keepDays);
      // Whatever went by either of them does not come back. Not by the server's clock: it may say anything.
      const expired = days.includes(0) ? now : now - Math.min(...days) * DAY_MS;
      const isNarrowed = [before, chat].some(({ newcomers }) => newcomers.see !== 'all');
      const decided = { ...state, chat, expired: Math.floor(Math.max(state.expired ?? 0, expired)) };
      return isNarrowed ? { ...decided, narrowed: true } : decided;
    });
  }

  /** @param upTo  of what the host sees: what came later, or was kept back from it, stays */
  async clearChat(upTo: ChatHead): Promise<void> {
    await this.#decide((state) => ({ ...state, cleared: upTo }));
  }

  async end(ended: () => void): Promise<void> {
    const { desk, meeting, host, outbox } = this.#terms;
    const sequence = await host.nextSequence(desk.serverNow());
    const command = await host.signCommand({ action: 'end', meeting, sequence });
    outbox.put('host.command', { command }, (done) => {
      if (done) ended();
    });
  }

  /** @param told what the members have been sent with the commit */
  async #startGeneration(generation: number, told: Rotation | null): Promise<void> {
    const { mail, outbox, keepRotation, accept } = this.#terms;
    const { record, access, secret } = told ?? (await this.#make(generation, false));
    await keepRotation({ record, access, secret, offered: false });
    await accept(await nextAccess(this.#terms.access(), record, secret));
    // The remaining members first: until they have the next secret, nobody can come in.
    if (told === null) await mail.send(null, 'generation', JSON.stringify({ record, secret: base64url(secret) }));
    outbox.put('host.rotate', { record, access }, () => keepRotation(null));
  }

  async #make(generation: number, offered: boolean): Promise<Rotation> {
    const { desk, meeting, host, title } = this.#terms;
    const { stretched, record: present } = this.#terms.access();
    const password = stretched !== null && present.salt !== undefined ? { stretched, salt: present.salt } : null;
    const terms = { meeting, generation, title, settings: present.settings, password, createdAt: desk.serverNow() };
    return { ...(await makeTerms(host.key, terms)), offered };
  }

  async #decide(change: (state: HostState) => HostState): Promise<void> {
    const { meeting, host, mail, outbox, states, access, decided } = this.#terms;
    const { generation } = access();
    const before = states.state ?? { version: 0, meeting, generation, locked: false, bans: [] };
    const state = await host.signState(change({ ...before, version: states.version + 1, generation }));
    await states.accept(state);
    decided();
    await mail.send(null, 'hostState', JSON.stringify({ state }));
    outbox.put('host.state', { state });
  }

  /** One browser with two tabs: a host who removes the other does not ban itself. */
  #isOurs(identity: string): boolean {
    const own = this.#terms.group.members().find(({ leaf }) => leaf === this.#terms.group.ownLeaf);
    return own !== undefined && base64url(own.identity) === identity;
  }
}
