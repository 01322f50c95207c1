/**
 * What link and password open: the meeting's public record, checked, and the keys of its generation.
 *
 * A meeting id is the hash of the host's key, so a record is believed only if its own host key has that hash and signed it;
 * no server can put another in its place. Nothing here talks to anybody or remembers anything.
 */
import type { Bytes } from '../../crypto/bytes.ts';
import { equal, fromBase64url, wipe } from '../../crypto/bytes.ts';
import { CryptoError } from '../../crypto/errors.ts';
import type { GroupKeys } from '../../crypto/group.ts';
import { deriveLinkKeys, deriveMeetingKeys, meetingIdOf, openTitle } from '../../crypto/invite.ts';
import type { KeyPair } from '../../crypto/primitives.ts';
import { verifyText } from '../../crypto/signed.ts';
import { MeetingRecord, labels, type Signed } from '../../signal/protocol/documents.ts';
import type { MeetingId } from '../../signal/protocol/ids.ts';

/** A record that its host has signed, and whose host this meeting's id names. */
export interface CheckedRecord {
  readonly signed: Signed;
  readonly record: MeetingRecord;
  readonly hostPublicKey: Bytes;
}

/** Keys of one generation. */
export interface Access {
  readonly meeting: MeetingId;
  readonly hostPublicKey: Bytes;
  readonly signed: Signed;
  readonly record: MeetingRecord;
  readonly generation: number;
  /** Of the link, 32 bytes. */
  readonly secret: Bytes;
  /** Of the password, 32 bytes; null where there is none. It outlives generations. */
  readonly stretched: Bytes | null;
  readonly accessKey: KeyPair;
  readonly admissionKey: KeyPair;
  readonly metadataKey: Bytes;
  /** Wraps the chat's ring. */
  readonly chatKey: Bytes;
  /** PSK and public keys for a group of this meeting. */
  groupKeys(groupId: Bytes): Promise<GroupKeys>;
  /** Overwrites link secret and keys. The stretched password stays: the next generation shares it. */
  wipe(): void;
}

/** @throws CryptoError 'forged' unless the host whom the id names has signed it, 'malformed' if it says nothing we know */
export async function checkRecord(meeting: MeetingId, signed: Signed): Promise<CheckedRecord> {
  const record = MeetingRecord.safeParse(jsonOf(signed.body));
  if (!record.success) throw new CryptoError('malformed', 'not a meeting record');
  const hostPublicKey = fromBase64url(record.data.hostKey);
  if ((await meetingIdOf(hostPublicKey)) !== meeting) throw new CryptoError('forged', 'record of another meeting');
  if (!(await verifyText(labels.record, signed.body, fromBase64url(signed.signature), hostPublicKey))) {
    throw new CryptoError('forged', 'record does not hold');
  }
  return { signed, record: record.data, hostPublicKey };
}

/** Opens the title of a record. @throws CryptoError 'forged' if the secret is not this generation's */
export async function titleOf(meeting: MeetingId, secret: Bytes, { record }: CheckedRecord): Promise<string> {
  const { linkKey, titleKey } = await deriveLinkKeys(secret, meeting);
  if (!equal(linkKey.publicKey, fromBase64url(record.linkKey)))
    throw new CryptoError('forged', 'record of another link');
  return openTitle(titleKey, meeting, fromBase64url(record.title));
}

/**
 * Derives the keys of a record's generation. Whether the password was right only the server can tell: whatever told it here
 * would let a link holder try passwords at leisure.
 * @param stretched 32 bytes of Argon2id, null where the record has no salt
 */
export async function deriveAccess(
  meeting: MeetingId,
  checked: CheckedRecord,
  secrets: { secret: Bytes; stretched: Bytes | null },
): Promise<Access> {
  const { record, signed, hostPublicKey } = checked;
  const { generation } = record;
  const keys = await deriveMeetingKeys({ ...secrets, hostPublicKey, generation });
  const { accessKey, admissionKey, metadataKey, chatKey } = keys;
  return {
    meeting,
    hostPublicKey,
    signed,
    record,
    generation,
    secret: secrets.secret,
    stretched: secrets.stretched,
    accessKey,
    admissionKey,
    metadataKey,
    chatKey,
    groupKeys: async (groupId) => ({
      psk: { generation, secret: await keys.psk(groupId) },
      hostPublicKey,
      admissionPublicKey: admissionKey.publicKey,
    }),
    wipe: () => {
      keys.wipe();
      wipe(secrets.secret);
    },
  };
}

/**
 * The next generation, as another member told it: same host, same password, a newer record, and a secret that fits it.
 * @throws CryptoError 'forged', 'malformed'
 */
export async function nextAccess(access: Access, signed: Signed, secret: Bytes): Promise<Access> {
  const checked = await checkRecord(access.meeting, signed);
  if (checked.record.generation <= access.generation) throw new CryptoError('replayed', 'an older generation');
  // The record names the link's key, so another secret does not pass.
  await titleOf(access.meeting, secret, checked);
  return deriveAccess(access.meeting, checked, { secret, stretched: access.stretched });
}

/** @returns undefined for what is no JSON: no schema takes that */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
