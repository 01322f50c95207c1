/**
 * What opens a chat in this browser while the server cannot be reached: the meeting's record, and the public half of what link and
 * password give. By that half the right password is known from a wrong one; so it is sealed like the chat itself (shelf.ts).
 */
import type { Bytes } from '../../../crypto/bytes.ts';
import { fromUtf8, utf8 } from '../../../crypto/bytes.ts';
import { Reader, Writer } from '../../../crypto/codec.ts';
import type { Signed } from '../../../signal/protocol/documents.ts';
import type { Access } from '../access.ts';
import type { ChatShelf } from './shelf.ts';

export interface KeptAccess {
  readonly signed: Signed;
  /** 32 bytes. */
  readonly accessPublicKey: Bytes;
}

/** To be called with what the server has accepted, or this browser before. Where nothing is stored there is nothing to open. */
export async function keepAccess(shelf: ChatShelf, { meeting, signed, accessKey }: Access): Promise<void> {
  const value = new Writer()
    .opaque32(utf8(signed.body))
    .opaque32(utf8(signed.signature))
    .fixed(accessKey.publicKey)
    .done();
  await shelf.put(nameOf(meeting), value).catch(() => undefined);
}

/** @returns null where nothing was kept. Nothing is checked but its seal. */
export async function keptAccess(shelf: ChatShelf, meeting: string): Promise<KeptAccess | null> {
  const bytes = await shelf.get(nameOf(meeting)).catch(() => null);
  if (bytes === null) return null;
  const reader = new Reader(bytes);
  const signed = { body: fromUtf8(reader.opaque32()), signature: fromUtf8(reader.opaque32()) };
  const accessPublicKey = reader.fixed(32);
  reader.end();
  return { signed, accessPublicKey };
}

function nameOf(meeting: string): string {
  return `access ${meeting}`;
}
