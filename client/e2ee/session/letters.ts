/**
 * What members tell each other, worker to worker: that they live, who they are, what they know.
 *
 * Whoever is behind (an older host state, an older generation) is helped by the member with the lowest leaf that is not. What
 * the page sends is handed on as it is, once the page has been told of its sender.
 */
import { base64url, fromBase64url } from '../../../crypto/bytes.ts';
import type { Bytes } from '../../../crypto/bytes.ts';
import type { Group } from '../../../crypto/group.ts';
import type { Member } from '../../../crypto/mlsState.ts';
import { checkRemoval } from '../../../crypto/removal.ts';
import { verifyBytes } from '../../../crypto/signed.ts';
import type { Transition } from '../../../crypto/step.ts';
import type { MeetingId, PeerId } from '../../../signal/protocol/ids.ts';
import type { Access } from '../access.ts';
import { jsonOf, nextAccess } from '../access.ts';
import type { Host } from '../host.ts';
import type { MessageKind } from '../messages.ts';
import type { Body, InternalKind } from './bodies.ts';
import { bodies, isInternalKind } from './bodies.ts';
import type { Epochs } from './epochs.ts';
import { HOST_PROFILE_LABEL, hostProfileBody } from './hostMark.ts';
import type { HostStates } from './hostStates.ts';
import type { Letter, Mail, MailOptions } from './mail.ts';
import type { Desk } from './ports.ts';
import type { Roster } from './roster.ts';
import type { ChatOfGroup } from './terms.ts';
import type { Work } from './work.ts';

/** Helping the same peer again, or asking it again, before this has passed would only repeat what is on its way. */
const HELP_PACE_MS = 3000;

const pageKinds: ReadonlySet<string> = new Set([
  'mesh.signal',
  'media.state',
  'hand',
  'speaking',
  'reaction',
] satisfies MessageKind[]);

export interface LettersTerms {
  readonly desk: Desk;
  readonly group: Group;
  readonly meeting: MeetingId;
  readonly hostPublicKey: Bytes;
  readonly host: Host | null;
  readonly name: string;
  readonly mail: Mail;
  readonly epochs: Epochs;
  readonly roster: Roster;
  readonly states: HostStates;
  readonly work: Work;
  readonly chat: ChatOfGroup;
  readonly access: () => Access;
  /** @param epoch in which it was told */
  readonly accept: (access: Access, epoch: number) => Promise<void>;
  readonly isLost: (peer: PeerId) => boolean;
  readonly heardOf: (epoch: number, by: PeerId) => void;
  readonly planned: () => void;
  readonly hostStateChanged: () => void;
  readonly forged: (detail: string) => void;
}

export class Letters {
  readonly #terms: LettersTerms;
  readonly #knowledge = new Map<string, { generation: number; hostState: number }>();
  readonly #helpedAt = new Map<string, number>();
  readonly #introduced = new Set<string>();
  /** When somebody was first heard to be behind something that we know. */
  readonly #behindSince = new Map<string, number>();
  /** The epoch in which we were told the present generation: in older ones its secret must not be told. */
  #generationEpoch: number;

  constructor(terms: LettersTerms) {
    this.#terms = terms;
    this.#generationEpoch = terms.group.epoch;
  }

  /** We hold another generation, told in this epoch. */
  generationSince(epoch: number): void {
    this.#generationEpoch = epoch;
  }

  async beat(): Promise<void> {
    const { group, states, access, chat } = this.#terms;
    const head = chat.head();
    const body = {
      epoch: group.epoch as Body<'heartbeat'>['epoch'],
      hostState: states.version,
      generation: access().generation,
      ...(head === null ? {} : { chat: head }),
    };
    await this.#tell(null, 'heartbeat', body, { transient: true, everyPath: true });
  }

  /** Says who we are, to one or to all. */
  async introduce(to: PeerId | null): Promise<void> {
    const { group, host, name } = this.#terms;
    const mark = host && base64url(await host.signProfile(group.groupId, group.ownLeafKey));
    await this.#tell(to, 'profile', { name, host: mark });
  }

  /** What newcomers have to know. */
  async greet({ added, by }: Transition): Promise<void> {
    const { group, states } = this.#terms;
    for (const { peer } of added) {
      await this.introduce(peer as PeerId);
      if (by.leaf === group.ownLeaf && states.signed !== null) {
        await this.#tell(peer as PeerId, 'hostState', { state: states.signed });
      }
    }
  }

  async read(letter: Letter): Promise<void> {
    const { from, kind, body } = letter;
    if (!isInternalKind(kind)) {
      this.#handOn(letter);
      return;
    }
    const parsed = bodies[kind].safeParse(jsonOf(body));
    // A member's own mistake, or a newer version of us: nothing that anybody else could have done.
    if (!parsed.success) return;
    const known = { kind, body: parsed.data } as { [K in InternalKind]: { kind: K; body: Body<K> } }[InternalKind];
    switch (known.kind) {
      case 'heartbeat':
        return this.#heartbeat(letter, known.body);
      case 'profile':
        return this.#profile(from, known.body);
      case 'ask':
        return this.#atMostOften(`profile ${from.peer}`) ? this.introduce(from.peer as PeerId) : undefined;
      case 'leave':
        return this.#leave(from, known.body);
      case 'generation':
        return this.#generation(known.body, letter.epoch);
      case 'hostState':
        return this.#hostState(known.body);
      case 'chatKeys':
        return this.#terms.chat.read({ kind: 'chatKeys', body: known.body, ...aboutSender(letter) });
      case 'chatAsk':
        if (this.#atMostOften(`chat ${from.peer}`)) this.#terms.chat.read({ kind: 'chatAsk', ...aboutSender(letter) });
    }
  }

  /** To the page, which knows its sender: members are listed before their first letter is opened. */
  #handOn({ from, kind, body }: Letter): void {
    const { desk, roster } = this.#terms;
    if (!pageKinds.has(kind) || !roster.isListed(from.peer)) return;
    desk.emit({ type: 'message', from: from.peer as PeerId, kind: kind as MessageKind, body });
  }

  async #heartbeat({ from, epoch }: Letter, body: Body<'heartbeat'>): Promise<void> {
    const { states, access, heardOf, epochs, chat } = this.#terms;
    const peer = from.peer as PeerId;
    this.#knowledge.set(peer, body);
    if (body.chat !== undefined) chat.heard(base64url(from.identity), body.chat);
    if (body.epoch > epochs.current.epoch) heardOf(body.epoch, peer);
    if (!this.#introduced.has(peer) && this.#atMostOften(`ask ${peer}`)) await this.#tell(peer, 'ask', {});
    const { generation, signed, secret } = access();
    if (
      body.generation < generation &&
      epoch >= this.#generationEpoch &&
      this.#isOurTurn(peer, 'generation', generation)
    ) {
      if (this.#atMostOften(`generation ${peer}`)) {
        await this.#tell(peer, 'generation', { record: signed, secret: base64url(secret) }, { epoch });
      }
    }
    if (
      states.signed !== null &&
      body.hostState < states.version &&
      this.#isOurTurn(peer, 'hostState', states.version)
    ) {
      if (this.#atMostOften(`state ${peer}`)) await this.#tell(peer, 'hostState', { state: states.signed }, { epoch });
    }
  }

  async #profile(from: Member, { name, host }: Body<'profile'>): Promise<void> {
    const { group, meeting, hostPublicKey, roster, forged } = this.#terms;
    const marked = hostProfileBody(meeting, group.groupId, from.leafKey);
    const isHost = host !== null && (await verifyBytes(HOST_PROFILE_LABEL, marked, fromBase64url(host), hostPublicKey));
    if (host !== null && !isHost) forged('somebody called themselves host');
    this.#introduced.add(from.peer);
    roster.named(from.peer, { name, host: isHost });
  }

  async #leave(from: Member, { signature }: Body<'leave'>): Promise<void> {
    const { desk, group, meeting, hostPublicKey, work, planned } = this.#terms;
    const reason = { kind: 'leave', signature: fromBase64url(signature) } as const;
    const place = { meetingId: meeting, groupId: group.groupId, epoch: group.epoch };
    if (!(await checkRemoval(reason, from, { place, hostPublicKey, added: [] }))) return;
    work.remove({ leafKey: from.leafKey, cause: { kind: 'leave', reason }, since: desk.now() });
    planned();
  }

  async #generation({ record, secret }: Body<'generation'>, epoch: number): Promise<void> {
    const { access, accept, forged } = this.#terms;
    let next: Access;
    try {
      next = await nextAccess(access(), record, fromBase64url(secret));
    } catch (error) {
      // Told twice is no crime.
      if (!isReplay(error)) forged('a generation that no host has started');
      return;
    }
    await accept(next, epoch);
  }

  async #hostState({ state }: Body<'hostState'>): Promise<void> {
    const { states, forged, hostStateChanged } = this.#terms;
    const verdict = await states.accept(state);
    if (verdict === 'forged') forged('a host state that no host has signed');
    if (verdict === 'newer') hostStateChanged();
  }

  /**
   * Of those who say that they know as much as we do, the one with the lowest leaf helps; but a word is not help, so if the
   * peer is still behind after a while, anybody does.
   */
  #isOurTurn(behind: PeerId, what: 'generation' | 'hostState', level: number): boolean {
    const { desk, group, isLost } = this.#terms;
    const key = `${what} ${level} ${behind}`;
    const since = this.#behindSince.get(key) ?? desk.now();
    this.#behindSince.set(key, since);
    if (desk.now() - since > HELP_PACE_MS) return true;
    return !group
      .members()
      .some(
        ({ leaf, peer }) =>
          leaf < group.ownLeaf &&
          peer !== behind &&
          !isLost(peer as PeerId) &&
          (this.#knowledge.get(peer)?.[what] ?? -1) >= level,
      );
  }

  #atMostOften(what: string): boolean {
    const now = this.#terms.desk.now();
    if (now - (this.#helpedAt.get(what) ?? -Infinity) < HELP_PACE_MS) return false;
    this.#helpedAt.set(what, now);
    return true;
  }

  #tell<K extends InternalKind>(to: PeerId | null, kind: K, body: Body<K>, options: MailOptions = {}): Promise<void> {
    return this.#terms.mail.send(to, kind, JSON.stringify(body), options);
  }
}

function aboutSender({ from, epoch }: Letter): { identity: string; epoch: number } {
  return { identity: base64url(from.identity), epoch };
}

function isReplay(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'replayed';
}
