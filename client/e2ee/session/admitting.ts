/** The first look at somebody who asks to come in: is it worth the next commit's while? */
import { checkAdmission } from '../../../crypto/admission.ts';
import type { Group } from '../../../crypto/group.ts';
import type { ServerEvent } from '../../../signal/protocol/events.ts';
import type { Access } from '../access.ts';
import { decodeJoinRequest, type JoinRequest } from '../joinRequest.ts';
import { bytesOf } from './committing.ts';
import type { AddWork } from './work.ts';

type AddRequested = Extract<ServerEvent, { type: 'group.addRequested' }>;

export interface AdmittingTerms {
  readonly group: Group;
  readonly access: Access;
  /** By the session's clock, and by the server's. */
  readonly now: number;
  readonly serverNow: number;
}

/**
 * Everything is checked again, and by every member, when the commit is made; here only what can be told at once.
 * @returns `forged` if nobody who may has signed it; `stale` for an honest one that has been overtaken (another generation,
 *   expired, a member already)
 */
export async function addWork(event: AddRequested, terms: AdmittingTerms): Promise<AddWork | 'forged' | 'stale'> {
  const { group, access, now, serverNow } = terms;
  const keyPackage = bytesOf(event.keyPackage);
  const request = readRequest(event.admission);
  if (keyPackage === null || request === null) return 'forged';
  if (group.members().some(({ peer }) => peer === event.peer)) return 'stale';
  const fault = await checkAdmission(request.admission, {
    keyPackage,
    groupId: group.groupId,
    generation: access.generation,
    admissionPublicKey: access.admissionKey.publicKey,
    hostPublicKey: access.hostPublicKey,
    now: serverNow,
  });
  if (fault === 'forged' || fault === 'malformed') return 'forged';
  if (fault !== null) return 'stale';
  return { peer: event.peer, keyPackage, request, since: now, askedAt: now };
}

function readRequest(text: string): JoinRequest | null {
  const bytes = bytesOf(text);
  if (bytes === null) return null;
  try {
    return decodeJoinRequest(bytes);
  } catch {
    return null;
  }
}
