/**
 * Who a member is: a lasting identity key that vouches for the fresh leaf key of each join.
 *
 * Credential: identity public key(32) ‖ signature(64), the signature by the identity over leaf key and meeting id, so it
 * serves neither another leaf nor another meeting. The peer id is a hash of the leaf key: whoever says it can be held to
 * it. Keys are Ed25519 (RFC 8032); the credential travels in the MLS leaf (RFC 9420 §5.3).
 */
import type { Bytes } from './bytes.ts';
import { base64url, concat, utf8 } from './bytes.ts';
import { Reader, Writer } from './codec.ts';
import { CryptoError } from './errors.ts';
import type { KeyPair } from './primitives.ts';
import { sha256, signKeyPair } from './primitives.ts';
import { signBytes, verifyBytes } from './signed.ts';

/** The label of the one signature that a credential carries. */
const CREDENTIAL_LABEL = 'parley credential 1';
const PUBLIC_KEY_BYTES = 32;
/** 128 bits: nobody finds a second leaf key for a peer id. */
const PEER_ID_BYTES = 16;

/** A new lasting identity, for a browser or an account. `privateKey` is the 32-byte seed: store it, never send it. */
export function createIdentity(): Promise<KeyPair> {
  return signKeyPair();
}

/** @returns identity public key(32) ‖ signature(64) over leaf public key(32) ‖ opaque8 meeting id */
export async function credentialFor(identity: KeyPair, leafPublicKey: Bytes, meetingId: string): Promise<Bytes> {
  const body = credentialBody(leafPublicKey, meetingId);
  return concat(identity.publicKey, await signBytes(CREDENTIAL_LABEL, body, identity.privateKey));
}

/**
 * Checks a credential against the leaf that carries it.
 * @returns the identity's public key, 32 bytes
 * @throws CryptoError 'malformed' for another length, 'forged' if made for another leaf or meeting, or not by that identity
 */
export async function openCredential(credential: Bytes, leafPublicKey: Bytes, meetingId: string): Promise<Bytes> {
  const reader = new Reader(credential);
  const identity = reader.fixed(PUBLIC_KEY_BYTES);
  const signature = reader.fixed(64);
  reader.end();
  const body = credentialBody(leafPublicKey, meetingId);
  if (!(await verifyBytes(CREDENTIAL_LABEL, body, signature, identity))) {
    throw new CryptoError('forged', 'credential does not hold');
  }
  return identity;
}

/** The peer id everywhere: base64url of the first 16 bytes of SHA-256 over the leaf's public key, 22 characters. */
export async function peerIdOf(leafPublicKey: Bytes): Promise<string> {
  checkLeafKey(leafPublicKey);
  return base64url((await sha256(leafPublicKey)).subarray(0, PEER_ID_BYTES));
}

function credentialBody(leafPublicKey: Bytes, meetingId: string): Bytes {
  checkLeafKey(leafPublicKey);
  return new Writer().fixed(leafPublicKey).opaque8(utf8(meetingId)).done();
}

function checkLeafKey(leafPublicKey: Bytes): void {
  if (leafPublicKey.length !== PUBLIC_KEY_BYTES) throw new CryptoError('usage', 'a leaf public key has 32 bytes');
}
