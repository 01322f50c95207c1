/**
 * The ordering server turned against the meeting: it does what a server can do that wants in.
 *
 * It knows everything that the real one knows, and crypto/ besides. It never has the link, the password, or a member's keys.
 */
import { signAdmission } from '../../../crypto/admission.ts';
import { base64url, fromBase64url, type Bytes } from '../../../crypto/bytes.ts';
import { prepareJoin, type Group, type PendingJoin } from '../../../crypto/group.ts';
import { createIdentity } from '../../../crypto/identity.ts';
import { random, signKeyPair, type KeyPair } from '../../../crypto/primitives.ts';
import { decodeJoinRequest, encodeJoinRequest } from '../../../client/e2ee/joinRequest.ts';
import type { ServerEvent } from '../../../signal/protocol/events.ts';
import type { Epoch, GroupId, PeerId } from '../../../signal/protocol/ids.ts';
import type { OrderedCommit } from '../../../signal/protocol/model.ts';
import type { Params } from '../../../signal/protocol/requests.ts';
import type { Client } from './orderingServer.ts';
import { OrderingServer } from './orderingServer.ts';

export class MaliciousServer extends OrderingServer {
  /** A leaf of the server's own, and everything that was said to it. */
  ghost: { pending: PendingJoin; heard: ServerEvent[] } | null = null;

  /** Connects somebody whom nobody invited. */
  async summonGhost(meeting: string): Promise<PeerId> {
    const pending = await prepareJoin({ meetingId: meeting, identity: await createIdentity() });
    const heard: ServerEvent[] = [];
    this.ghost = { pending, heard };
    const client: Client = { peer: pending.peer as PeerId, event: (event) => void heard.push(event) };
    this.connect(client);
    return client.peer;
  }

  /** Asks all members to add the ghost, with whatever is given for an admission. */
  askForGhost(admission: Bytes): void {
    const { keyPackage, peer } = this.ghost!.pending;
    this.askFor(peer as PeerId, base64url(keyPackage), base64url(admission));
  }

  askFor(peer: PeerId, keyPackage: string, admission: string): void {
    const event: ServerEvent = { type: 'group.addRequested', peer, groupId: this.group!.id, keyPackage, admission };
    for (const member of this.group!.members) this.raw(member, event);
  }

  /** An admission by a key of the server's own. */
  async forgedAdmission(generation: number, by: 'link' | 'host'): Promise<Bytes> {
    const { keyPackage } = this.ghost!.pending;
    const { privateKey } = await signKeyPair();
    const groupId = fromBase64url(this.group!.id);
    const admission = await signAdmission({ keyPackage, groupId, generation, now: this.world.now, by, privateKey });
    return encodeJoinRequest({ admission, replaces: null });
  }

  /** The last request to come in that anybody made. */
  lastRequest(): Params<'group.requestAdd'> & { from: PeerId; admissionOnly: Bytes } {
    const seen = this.seen.findLast(({ name }) => name === 'group.requestAdd')!;
    const params = seen.params as Params<'group.requestAdd'>;
    const { admission } = decodeJoinRequest(fromBase64url(params.admission));
    return { ...params, from: seen.from, admissionOnly: admission };
  }

  /** A group of the server's own making, under keys that it drew, for whoever can be lured into it. */
  async trap(meeting: string, hostPublicKey: Bytes, admission: KeyPair): Promise<{ group: Group; id: GroupId }> {
    const pending = await prepareJoin({ meetingId: meeting, identity: await createIdentity() });
    const groupId = random(32);
    const psk = { generation: 0, secret: random(32) };
    const group = await pending.create({ groupId, psk, hostPublicKey, admissionPublicKey: admission.publicKey });
    return { group, id: base64url(groupId) as GroupId };
  }

  /** Answers "accepted" to everybody, and shows each side only the commits of its own. */
  splitBetween(left: readonly PeerId[]): void {
    const sides = { left: [...this.log], right: [...this.log] };
    const sideOf = (peer: PeerId) => (left.includes(peer) ? 'left' : 'right');
    this.intercept = (from, name, params) => {
      const log = sides[sideOf(from)];
      if (name === 'group.log') {
        const { epoch } = params as Params<'group.log'>;
        return { commits: log.slice(epoch), epoch: log.length };
      }
      if (name !== 'group.commit') return undefined;
      const { groupId, epoch, commit } = params as Params<'group.commit'>;
      if (epoch !== log.length) return undefined;
      const ordered: OrderedCommit = { groupId, epoch, by: from, commit };
      log.push(ordered);
      this.world.after(0, () => {
        for (const peer of this.connections.keys()) {
          if (sideOf(peer) === sideOf(from)) this.raw(peer, { type: 'group.committed', ...ordered });
        }
      });
      return { epoch: (epoch + 1) as Epoch };
    };
  }
}
