/**
 * Signatures over labelled texts and bytes.
 *
 * What is signed is `label ‖ 0x00 ‖ body`: the label names the purpose and the version, so a signature made for one
 * purpose never passes for another, although the same key signs both. The server checks the same input with node:crypto.
 * Plain Ed25519, RFC 8032 §5.1.
 */
import type { Bytes } from './bytes.ts';
import { labelled, utf8 } from './bytes.ts';
import { sign, verify } from './primitives.ts';

/** Signs a text, for example a JSON document exactly as it will be sent. @returns 64 bytes */
export function signText(label: string, body: string, privateKey: Bytes): Promise<Bytes> {
  return signBytes(label, utf8(body), privateKey);
}

/** Check the text as it was received, before parsing it. False for any key, label, body or signature that does not fit. */
export function verifyText(label: string, body: string, signature: Bytes, publicKey: Bytes): Promise<boolean> {
  return verifyBytes(label, utf8(body), signature, publicKey);
}

/** @param privateKey 32-byte seed @returns 64 bytes */
export async function signBytes(label: string, body: Bytes, privateKey: Bytes): Promise<Bytes> {
  return sign(privateKey, labelled(label, body));
}

/**
 * Ed25519 (RFC 8032 §5.1.7) over label ‖ 0x00 ‖ body.
 * @param signature 64 bytes
 * @param publicKey 32 bytes
 * @returns false for whatever does not fit, lengths included; never throws for what others have made
 */
export async function verifyBytes(label: string, body: Bytes, signature: Bytes, publicKey: Bytes): Promise<boolean> {
  return verify(publicKey, labelled(label, body), signature);
}
