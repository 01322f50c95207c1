/**
 * Somebody whom only the server brings in: all that a server can say to have a leaf of its own added to a group.
 *
 * The same words with the true admission key do add it: tests show that first, so that a refusal means something.
 */
import { signAdmission } from '../../crypto/admission.ts';
import type { Bytes } from '../../crypto/bytes.ts';
import { base64url, fromBase64url } from '../../crypto/bytes.ts';
import { prepareJoin } from '../../crypto/group.ts';
import { createIdentity } from '../../crypto/identity.ts';
import { deriveMeetingKeys, parseInvite } from '../../crypto/invite.ts';
import { random, stretch } from '../../crypto/primitives.ts';
import { encodeJoinRequest } from '../../client/e2ee/joinRequest.ts';
import { MeetingRecord, Signed } from '../../signal/protocol/documents.ts';
import type { GroupId, PeerId } from '../../signal/protocol/ids.ts';
import type { HostileServer, Line } from './hostileServer.ts';

export interface Ghost {
  readonly peer: PeerId;
  readonly keyPackage: Bytes;
}

export async function makeGhost(link: string): Promise<Ghost> {
  const { peer, keyPackage } = await prepareJoin({
    meetingId: parseInvite(link)!.meeting,
    identity: await createIdentity(),
  });
  return { peer: peer as PeerId, keyPackage };
}

/** @param by  who is said to have signed; `privateKey` may be anybody's */
export async function askForGhost(
  ghost: Ghost,
  lines: readonly Line[],
  { by, ...terms }: { groupId: GroupId; generation: number; by: 'link' | 'host'; privateKey: Bytes },
): Promise<void> {
  const { peer, keyPackage } = ghost;
  const groupId = fromBase64url(terms.groupId);
  const admission = await signAdmission({ ...terms, groupId, keyPackage, now: Date.now(), by });
  for (const line of lines) {
    const name = base64url(random(64)) as never;
    line.event({ type: 'peer.joined', peer: { peer, name, presence: 'here', inGroup: true } });
    line.event({
      type: 'group.addRequested',
      peer,
      groupId: terms.groupId,
      keyPackage: base64url(keyPackage),
      admission: base64url(encodeJoinRequest({ admission, replaces: null })),
    });
  }
}

/** The admission key of a meeting's first generation, as whoever has link and password derives it. */
export async function admissionKeyOf(server: HostileServer, link: string, password: string | null): Promise<Bytes> {
  const record = recordsOf(server).find(({ generation }) => generation === 0)!;
  const stretched = password === null ? null : await stretch(password, fromBase64url(record.salt!));
  const { admissionKey } = await deriveMeetingKeys({
    secret: parseInvite(link)!.secret!,
    stretched,
    hostPublicKey: fromBase64url(record.hostKey),
    generation: 0,
  });
  return admissionKey.privateKey;
}

function recordsOf({ lines }: HostileServer): MeetingRecord[] {
  return lines
    .flatMap(({ answers }) => answers)
    .flatMap((answer) => {
      const { record } = ('result' in answer ? answer.result : {}) as { record?: unknown };
      const signed = Signed.safeParse(record);
      return signed.success ? [MeetingRecord.parse(JSON.parse(signed.data.body))] : [];
    });
}

/** The group that members speak of, as the server has seen it. */
export function groupOf(lines: readonly Line[]): GroupId {
  for (const line of lines) {
    for (const request of line.requests) {
      const { groupId } = request.params as { groupId?: GroupId };
      if (groupId !== undefined) return groupId;
    }
  }
  throw new Error('no group has been named yet');
}
