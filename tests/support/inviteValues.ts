/** Every value that whoever has link and password can compute for a meeting: all that crypto/invite.ts derives, and what lies between. */
import type { Bytes } from '../../crypto/bytes.ts';
import { concat, fromBase64url, utf8 } from '../../crypto/bytes.ts';
import { deriveLinkKeys, deriveMeetingKeys } from '../../crypto/invite.ts';
import { hkdf, stretch } from '../../crypto/primitives.ts';
import { checkRecord } from '../../client/e2ee/access.ts';
import type { Signed } from '../../signal/protocol/documents.ts';
import type { GroupId, MeetingId } from '../../signal/protocol/ids.ts';

export interface NamedValue {
  readonly name: string;
  /** 32 bytes. */
  readonly bytes: Bytes;
  /** The server knows it anyway. */
  readonly isPublic: boolean;
}

/** @param given.signed  the meeting's public record, as the server has it */
export async function inviteValues(given: {
  meeting: MeetingId;
  secret: string;
  password: string;
  signed: Signed;
  group: GroupId;
}): Promise<NamedValue[]> {
  const { meeting, password, signed } = given;
  const { record, hostPublicKey } = await checkRecord(meeting, signed);
  const { generation } = record;
  const secret = fromBase64url(given.secret);
  const stretched = await stretch(password, fromBase64url(record.salt!));
  const groupId = fromBase64url(given.group);
  const { linkKey, titleKey } = await deriveLinkKeys(secret, meeting);
  const keys = await deriveMeetingKeys({ secret, stretched, hostPublicKey, generation });
  // As deriveMeetingKeys has it inside: 64 bytes, which it never gives away.
  const info = concat(utf8('parley 1'), hostPublicKey);
  const meetingSecret = await hkdf(concat(secret, stretched), { salt: new Uint8Array(0), info, length: 64 });
  const secrets: [string, Bytes][] = [
    ['link secret', secret],
    ['stretched password', stretched],
    ['link private key', linkKey.privateKey],
    ['title key', titleKey],
    ['meeting secret, first half', meetingSecret.slice(0, 32)],
    ['meeting secret, second half', meetingSecret.slice(32)],
    ['access private key', keys.accessKey.privateKey],
    ['admission private key', keys.admissionKey.privateKey],
    ['metadata key', keys.metadataKey],
    ['PSK', await keys.psk(groupId)],
  ];
  const known: [string, Bytes][] = [
    ['link public key', linkKey.publicKey],
    ['access public key', keys.accessKey.publicKey],
    ['admission public key', keys.admissionKey.publicKey],
    ['host public key', hostPublicKey],
    ['group id', groupId],
  ];
  return [
    ...secrets.map(([name, bytes]) => ({ name, bytes, isPublic: false })),
    ...known.map(([name, bytes]) => ({ name, bytes, isPublic: true })),
  ];
}
