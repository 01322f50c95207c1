/**
 * From a leaf without a group to a member: found one where there is none, else ask to be added until a Welcome comes.
 *
 * Which group to ask is the server's word, and costs nothing: a Welcome that does not ask for our PSK, or leads elsewhere, is
 * refused (crypto/newMember.ts), and without that PSK nobody can make one. docs/design.md, "The group", "Admission".
 */
import { signAdmission } from '../../../crypto/admission.ts';
import { base64url } from '../../../crypto/bytes.ts';
import type { Bytes } from '../../../crypto/bytes.ts';
import type { Group, PendingJoin } from '../../../crypto/group.ts';
import type { KeyPair } from '../../../crypto/primitives.ts';
import { random } from '../../../crypto/primitives.ts';
import { signReplacement } from '../../../crypto/removal.ts';
import type { ServerEvent } from '../../../signal/protocol/events.ts';
import type { GroupId } from '../../../signal/protocol/ids.ts';
import type { GroupRef } from '../../../signal/protocol/model.ts';
import type { Access } from '../access.ts';
import type { Replacement } from '../joinRequest.ts';
import { encodeJoinRequest } from '../joinRequest.ts';
import { bytesOf } from './committing.ts';
import type { Desk } from './ports.ts';
import { RequestFailed } from './ports.ts';

/** Who was asked may have gone, or lost a race: after this long we ask again. */
const ASK_AGAIN_MS = 3000;
/** Before trying again what the server refused, or where it names no time. */
const RETRY_MS = 1000;
const MIN_WAIT_MS = 100;

export interface JoiningTerms {
  readonly desk: Desk;
  readonly identity: KeyPair;
  readonly pending: PendingJoin;
  readonly access: () => Access;
  /** The leaf that this one takes the place of. */
  readonly replaces: Bytes | null;
  readonly joined: (group: Group) => Promise<void>;
  /** A Welcome that was none. */
  readonly forged: (detail: string) => void;
}

export class Joining {
  readonly #terms: JoiningTerms;
  /** The group that we ask to be added to. */
  #asked: GroupId | null = null;
  #cancel: (() => void) | null = null;
  /** Answers to what was asked before the last change of mind are not for us. */
  #round = 0;
  #done = false;

  constructor(terms: JoiningTerms) {
    this.#terms = terms;
  }

  async begin(group: GroupRef | null): Promise<void> {
    if (this.#done) return;
    if (group === null) this.#found();
    else await this.#ask(group.id);
  }

  async event(event: ServerEvent): Promise<void> {
    if (this.#done) return;
    if (event.type === 'group.created' && this.#asked !== event.group.id) await this.#ask(event.group.id);
    if (event.type === 'group.welcome') await this.#welcome(event.groupId, event.welcome);
  }

  stop(): void {
    this.#done = true;
    this.#cancel?.();
  }

  #found(): void {
    const { desk, pending, access } = this.#terms;
    const groupId = random(32);
    this.#asked = null;
    const round = this.#next();
    desk.send('group.create', { groupId: base64url(groupId) as GroupId }).then(
      (answer) =>
        desk.post(async () => {
          if (round !== this.#round || this.#done) return;
          if (answer.created) {
            const group = await pending.create({ groupId, ...(await access().groupKeys(groupId)) });
            // The group has copies; an answer that names another one can no longer use this leaf.
            pending.wipe();
            await this.#enter(group);
          } else if (answer.group !== null) await this.#ask(answer.group.id);
          else this.#later(answer.waitMs ?? RETRY_MS, () => this.begin(null));
        }),
      (error: unknown) => desk.post(() => this.#failed(round, error, () => this.begin(null))),
    );
  }

  async #ask(groupId: GroupId): Promise<void> {
    const { desk, pending, access } = this.#terms;
    const group = bytesOf(groupId);
    if (group?.length !== 32) return;
    this.#asked = groupId;
    const round = this.#next();
    const { generation, admissionKey } = access();
    const admission = await signAdmission({
      keyPackage: pending.keyPackage,
      groupId: group,
      generation,
      now: desk.serverNow(),
      by: 'link',
      privateKey: admissionKey.privateKey,
    });
    const replaces = await this.#replacement(group);
    if (this.#done || round !== this.#round) return;
    const request = encodeJoinRequest({ admission, replaces });
    desk
      .send('group.requestAdd', { groupId, keyPackage: base64url(pending.keyPackage), admission: base64url(request) })
      .catch((error: unknown) => {
        const groupless = error instanceof RequestFailed && error.code === 'groupUnknown';
        desk.post(() => this.#failed(round, error, () => (groupless ? this.begin(null) : this.#ask(groupId))));
      });
    this.#later(ASK_AGAIN_MS, () => this.#ask(groupId));
  }

  async #replacement(groupId: Bytes): Promise<{ oldLeafKey: Bytes; reason: Replacement } | null> {
    const { replaces: oldLeafKey, pending, identity } = this.#terms;
    if (oldLeafKey === null) return null;
    const reason = await signReplacement({ oldLeafKey, newLeafKey: pending.leafKey, groupId }, identity);
    return reason.kind === 'replaced' ? { oldLeafKey, reason } : null;
  }

  async #welcome(groupId: GroupId, text: string): Promise<void> {
    const { pending, access, forged } = this.#terms;
    const welcome = bytesOf(text);
    if (groupId !== this.#asked || welcome === null) {
      forged('a Welcome into a group that was not asked');
      return;
    }
    const id = bytesOf(groupId)!;
    let group: Group;
    try {
      group = await pending.join({ welcome, groupId: id, ...(await access().groupKeys(id)) });
    } catch {
      forged('a Welcome that does not hold');
      return;
    }
    await this.#enter(group);
  }

  async #enter(group: Group): Promise<void> {
    this.stop();
    await this.#terms.joined(group);
  }

  #failed(round: number, error: unknown, again: () => Promise<void>): void {
    if (round !== this.#round || this.#done) return;
    // Without a connection nothing is asked: the resumed one begins again.
    if (error instanceof RequestFailed && error.code === 'offline') {
      this.#cancel?.();
      return;
    }
    this.#later((error instanceof RequestFailed ? error.retryAfterMs : undefined) ?? RETRY_MS, again);
  }

  #next(): number {
    this.#cancel?.();
    return ++this.#round;
  }

  #later(ms: number, run: () => Promise<void>): void {
    this.#cancel?.();
    this.#cancel = this.#terms.desk.after(Math.max(MIN_WAIT_MS, ms), () => {
      this.#terms.desk.post(run);
    });
  }
}
