/**
 * X-Wing, the KEM under the groups (draft-connolly-cfrg-xwing-kem), and HPKE over it (RFC 9180 §5.1.1, base mode) as ts-mls asks for it.
 *
 * The library's X25519 computes with big integers: slower than libsodium's by an order of magnitude, and in a time that tells of the secret.
 * So that half is libsodium's, which refuses points of small order besides.
 */
import { Aes256Gcm, CipherSuite, HkdfSha512 } from '@hpke/core';
import { XWing as LibraryXWing } from '@hpke/hybridkem-x-wing';
import type { Hpke } from 'ts-mls';
import { owned } from './bytes.ts';
import { CryptoError } from './errors.ts';
import { x25519 } from './primitives.ts';

export class XWing extends LibraryXWing {
  constructor() {
    super();
    this._x25519.derive = (scalar, point) => x25519(owned(scalar), owned(point));
  }
}

/** @param base  ts-mls's own: what does not compute with the KEM stays with it @returns of which `open` throws CryptoError 'forged' */
export function xWingHpke(base: Hpke): Hpke {
  const kem = new XWing();
  const hpke = new CipherSuite({ kem, kdf: new HkdfSha512(), aead: new Aes256Gcm() });
  const imported = async (pair: CryptoKeyPair): ReturnType<Hpke['generateKeyPair']> => ({
    privateKey: await base.importPrivateKey(new Uint8Array(await kem.serializePrivateKey(pair.privateKey))),
    publicKey: await base.importPublicKey(new Uint8Array(await kem.serializePublicKey(pair.publicKey))),
  });
  return {
    ...base,
    open: async (recipientKey, enc, sealed, info, aad = new Uint8Array()) => {
      try {
        const to = { recipientKey, enc: owned(enc), info: owned(info) };
        return new Uint8Array(await hpke.open(to, owned(sealed), owned(aad)));
      } catch (cause) {
        throw new CryptoError('forged', 'not sealed for this key', { cause });
      }
    },
    seal: async (recipientPublicKey, plaintext, info, aad = new Uint8Array()) => {
      const { ct, enc } = await hpke.seal({ recipientPublicKey, info: owned(info) }, owned(plaintext), owned(aad));
      return { ct: new Uint8Array(ct), enc: new Uint8Array(enc) };
    },
    deriveKeyPair: async (seed) => imported(await kem.deriveKeyPair(owned(seed))),
    generateKeyPair: async () => imported(await kem.generateKeyPair()),
  };
}
