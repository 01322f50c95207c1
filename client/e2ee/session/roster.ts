/**
 * Who is in the meeting, as the page shows it: the members of the group's tree, with the names that they told us sealed.
 *
 * Newcomers come and leavers go at once: whoever is listed gets connected, and is sent nothing that it could not open (epochs.ts).
 */
import type { Bytes } from '../../../crypto/bytes.ts';
import { base64url, equal } from '../../../crypto/bytes.ts';
import type { Group } from '../../../crypto/group.ts';
import type { Member } from '../../../crypto/mlsState.ts';
import type { Transition } from '../../../crypto/step.ts';
import { authenticatorDigits, groupCode, pairCode } from '../../../crypto/verification.ts';
import type { PeerId } from '../../../signal/protocol/ids.ts';
import { PROTOCOL } from '../../../signal/protocol/requests.ts';
import type { MemberView, Notice } from '../messages.ts';

export interface RosterTerms {
  readonly identity: Bytes;
  readonly hostPublicKey: Bytes;
  /** Our own. */
  readonly name: string;
  readonly host: boolean;
  /** True if this browser met that identity before this meeting. Remembers it from now on. */
  readonly meet: (identity: string) => boolean;
  readonly isLost: (peer: PeerId) => boolean;
  readonly emit: (notice: Notice) => void;
}

interface Seen {
  name: string | null;
  host: boolean;
  readonly unknown: boolean;
  readonly pairCode: string[];
}

type Gone = Extract<Notice, { type: 'members' }>['removed'];

export class Roster {
  readonly #terms: RosterTerms;
  readonly #group: Group;
  readonly #seen = new Map<string, Seen>();
  readonly #pairCodes = new Map<string, Promise<string>>();
  /** Codes take milliseconds to compute, and change with the epoch alone. */
  #codes: { epoch: number; code: string[]; authenticator: string[] } | null = null;

  constructor(group: Group, terms: RosterTerms) {
    this.#group = group;
    this.#terms = terms;
  }

  /** True once the page has been told of this peer. */
  isListed(peer: string): boolean {
    return this.#seen.has(peer);
  }

  /** Takes in the members of the present epoch, and tells the page who came and who went. */
  async update(transition: Transition | null): Promise<void> {
    const members = this.#group.members();
    const gone: Gone = (transition?.removed ?? []).map(({ member, reason }) => ({
      peer: member.peer as PeerId,
      name: this.#seen.get(member.peer)?.name ?? null,
      reason: reason.kind,
      by: transition!.by.peer as PeerId,
    }));
    for (const { peer } of gone) this.#seen.delete(peer);
    for (const member of members) {
      if (!this.#seen.has(member.peer)) this.#seen.set(member.peer, await this.#see(member));
    }
    await this.tell(gone);
  }

  async named(peer: string, profile: { name: string; host: boolean }): Promise<void> {
    const seen = this.#seen.get(peer);
    if (seen === undefined || (seen.name === profile.name && seen.host === profile.host)) return;
    Object.assign(seen, profile);
    await this.tell();
  }

  /** The list as it stands. */
  async tell(removed: Gone = []): Promise<void> {
    const codes = await this.#codesNow();
    const members = this.#group.members().flatMap((member) => this.#view(member));
    this.#terms.emit({ type: 'members', ...codes, members, removed });
  }

  async #codesNow(): Promise<{ epoch: number; code: string[]; authenticator: string[] }> {
    const { epoch } = this.#group;
    if (this.#codes?.epoch === epoch) return this.#codes;
    const identities = this.#group.members().map((member) => member.identity);
    const { hostPublicKey } = this.#terms;
    const code = (await groupCode({ version: PROTOCOL, hostPublicKey, identities })).split(' ');
    const authenticator = (await authenticatorDigits(this.#group.authenticator())).split(' ');
    this.#codes = { epoch, code, authenticator };
    return this.#codes;
  }

  #view({ peer, leaf }: Member): MemberView[] {
    const seen = this.#seen.get(peer);
    const self = leaf === this.#group.ownLeaf;
    if (seen === undefined) return [];
    const { name, host, unknown } = seen;
    const lost = !self && this.#terms.isLost(peer as PeerId);
    return [{ peer: peer as PeerId, name, self, host, unknown, pairCode: seen.pairCode, lost }];
  }

  async #see(member: Member): Promise<Seen> {
    const { name, host, meet } = this.#terms;
    const self = member.leaf === this.#group.ownLeaf;
    const key = base64url(member.identity);
    let code = this.#pairCodes.get(key);
    if (code === undefined) {
      code = pairCode(this.#terms.identity, member.identity, this.#terms.hostPublicKey);
      this.#pairCodes.set(key, code);
    }
    const unknown = !equal(member.identity, this.#terms.identity) && !meet(key);
    return { name: self ? name : null, host: self && host, unknown, pairCode: (await code).split(' ') };
  }
}
