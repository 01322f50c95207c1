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
import type { Desk } from './ports.ts';

export interface RosterTerms {
  readonly identity: Bytes;
  readonly hostPublicKey: Bytes;
  /** Our own. */
  readonly name: string;
  readonly host: boolean;
  /** True if this browser met that identity before this meeting. Remembers it from now on. */
  readonly meet: (identity: string) => boolean;
  readonly isLost: (peer: PeerId) => boolean;
  readonly desk: Pick<Desk, 'emit' | 'after' | 'post'>;
}

interface Seen {
  name: string | null;
  host: boolean;
  readonly unknown: boolean;
  /** Of its identity, base64url. */
  readonly identity: string;
}

/** Codes are compared by people: they may come after pictures and sound, which share this thread. */
const CODES_MS = 300;

type Gone = Extract<Notice, { type: 'members' }>['removed'];

export class Roster {
  readonly #terms: RosterTerms;
  readonly #group: Group;
  readonly #seen = new Map<string, Seen>();
  /** By identity. */
  readonly #pairCodes = new Map<string, string[]>();
  /** The group's, and of which people. */
  #code: { people: string; digits: string[] } | null = null;
  #authenticator: { epoch: number; digits: string[] } | null = null;
  #planned = false;

  constructor(group: Group, terms: RosterTerms) {
    this.#group = group;
    this.#terms = terms;
  }

  /** True once the page has been told of this peer. */
  isListed(peer: string): boolean {
    return this.#seen.has(peer);
  }

  /** Takes in the members of the present epoch, and tells the page who came and who went. */
  update(transition: Transition | null): void {
    const members = this.#group.members();
    const gone: Gone = (transition?.removed ?? []).map(({ member, reason }) => ({
      peer: member.peer as PeerId,
      name: this.#seen.get(member.peer)?.name ?? null,
      reason: reason.kind,
      by: transition!.by.peer as PeerId,
    }));
    for (const { peer } of gone) this.#seen.delete(peer);
    for (const member of members) {
      if (!this.#seen.has(member.peer)) this.#seen.set(member.peer, this.#see(member));
    }
    this.tell(gone);
  }

  named(peer: string, profile: { name: string; host: boolean }): void {
    const seen = this.#seen.get(peer);
    if (seen === undefined || (seen.name === profile.name && seen.host === profile.host)) return;
    Object.assign(seen, profile);
    this.tell();
  }

  /** The list as it stands; codes that are not known yet are empty, and follow. */
  tell(removed: Gone = []): void {
    const { epoch } = this.#group;
    const code = this.#code?.people === this.#people() ? this.#code.digits : [];
    const authenticator = this.#authenticator?.epoch === epoch ? this.#authenticator.digits : [];
    const members = this.#group.members().flatMap((member) => this.#view(member));
    this.#terms.desk.emit({ type: 'members', epoch, code, authenticator, members, removed });
    this.#plan(CODES_MS);
  }

  #people(): string {
    const identities = this.#group.members().map(({ identity }) => base64url(identity));
    return [...new Set(identities)].sort().join();
  }

  #plan(ms: number): void {
    if (this.#planned) return;
    this.#planned = true;
    this.#terms.desk.after(ms, () => {
      this.#planned = false;
      this.#terms.desk.post(() => this.#computeNext());
    });
  }

  /** One code at a time: each takes milliseconds, in which no frame is sealed. All are told at once. */
  async #computeNext(): Promise<void> {
    const { identity, hostPublicKey } = this.#terms;
    const others = this.#group.members().filter(({ leaf }) => leaf !== this.#group.ownLeaf);
    const next = others.find((other) => !this.#pairCodes.has(base64url(other.identity)));
    const people = this.#people();
    if (next !== undefined) {
      const code = await pairCode(identity, next.identity, hostPublicKey);
      this.#pairCodes.set(base64url(next.identity), code.split(' '));
    } else if (this.#code?.people !== people) {
      const identities = this.#group.members().map((member) => member.identity);
      const code = await groupCode({ version: PROTOCOL, hostPublicKey, identities });
      this.#code = { people, digits: code.split(' ') };
    } else if (this.#authenticator?.epoch !== this.#group.epoch) {
      const { epoch } = this.#group;
      const digits = await authenticatorDigits(this.#group.authenticator());
      this.#authenticator = { epoch, digits: digits.split(' ') };
      return this.tell();
    } else return;
    this.#plan(0);
  }

  #view({ peer, leaf }: Member): MemberView[] {
    const seen = this.#seen.get(peer);
    const self = leaf === this.#group.ownLeaf;
    if (seen === undefined) return [];
    const { identity, name, host, unknown } = seen;
    const pairCode = self ? [] : (this.#pairCodes.get(identity) ?? []);
    const lost = !self && this.#terms.isLost(peer as PeerId);
    return [{ peer: peer as PeerId, identity, name, self, host, unknown, pairCode, lost }];
  }

  #see(member: Member): Seen {
    const { name, host, meet } = this.#terms;
    const self = member.leaf === this.#group.ownLeaf;
    const identity = base64url(member.identity);
    const unknown = !equal(member.identity, this.#terms.identity) && !meet(identity);
    return { name: self ? name : null, host: self && host, unknown, identity };
  }
}
