/**
 * The one MLS suite that Parley speaks, and what every leaf of its groups looks like.
 *
 * X-Wing (ML-KEM-768 + X25519) / AES-256-GCM / SHA-512 / Ed25519. Its number, 83, is ts-mls's own and not in the registry
 * of RFC 9420 §17.1: both ends are ours, and our protocol version names the suite.
 * Hashes and HKDF are synchronous here (WebCrypto takes longer to answer than to compute: joining 100 members took 73 ms
 * with it, 33 ms without); signatures are libsodium's, so that every browser accepts exactly the same ones; so is X-Wing's X25519.
 */
import { expand, extract } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha512 } from '@noble/hashes/sha2.js';
import type { AuthenticationService, Capabilities, CiphersuiteImpl, ClientConfig, LeafNode } from 'ts-mls';
import {
  defaultKeyPackageEqualityConfig,
  defaultLifetime,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
  mlsExporter,
} from 'ts-mls';
import type { Bytes } from './bytes.ts';
import { concat, equal, owned, utf8 } from './bytes.ts';
import { Writer } from './codec.ts';
import { sign, signKeyPair, verify } from './primitives.ts';
import { xWingHpke } from './xWing.ts';

/** ts-mls's name of the suite. */
export const SUITE = 'MLS_256_XWING_AES256GCM_SHA512_Ed25519';
/** Output of SHA-512, and so the length of every secret of the key schedule and of a PSK nonce (RFC 9420 §8.4). */
export const HASH_BYTES = 64;
/** A frame's key id has 8 bits for the leaf (docs/design.md, "Frames"). */
export const MAX_LEAVES = 256;
/**
 * Commits that one member may prepare in one epoch. Each takes a key of its own from the member's handshake ratchet, since
 * two sealed under one key would share its nonce but for 32 random bits (RFC 9420 §6.3.1).
 */
export const MAX_STAGED_PER_EPOCH = 64;

let loading: Promise<CiphersuiteImpl> | undefined;

/** The suite, made once. */
export function suite(): Promise<CiphersuiteImpl> {
  loading ??= makeSuite();
  return loading;
}

async function makeSuite(): Promise<CiphersuiteImpl> {
  const base = await getCiphersuiteImpl(getCiphersuiteFromName(SUITE));
  const mac = (key: Uint8Array, data: Uint8Array): Uint8Array => hmac(sha512, key, data);
  return {
    ...base,
    hpke: xWingHpke(base.hpke),
    kdf: {
      size: HASH_BYTES,
      extract: async (salt, ikm) => extract(sha512, ikm, salt),
      expand: async (prk, info, length) => expand(sha512, prk, info, length),
    },
    hash: {
      digest: async (data) => sha512(data),
      mac: async (key, data) => mac(key, data),
      verifyMac: async (key, tag, data) => equal(mac(key, data), tag),
    },
    signature: {
      sign: (seed, message) => sign(owned(seed), owned(message)),
      verify: (publicKey, message, signature) => verify(owned(publicKey), owned(message), owned(signature)),
      keygen: async () => {
        const pair = await signKeyPair();
        return { publicKey: pair.publicKey, signKey: pair.privateKey };
      },
    },
  };
}

/** What every leaf says that it can do; a leaf that says anything else is not one of ours. */
export function leafCapabilities(): Capabilities {
  return { versions: ['mls10'], ciphersuites: [SUITE], extensions: [], proposals: [], credentials: ['basic'] };
}

/**
 * Key packages do not expire by the clock of whoever happens to look: their admission does, at the committer, once.
 * So whether a commit is valid never depends on when it is read.
 */
export const LEAF_LIFETIME = defaultLifetime;

/** True for a leaf made as ours are: capabilities, lifetime, no extensions, a basic credential. */
export function isOurShape(leaf: LeafNode): boolean {
  const told = leaf.capabilities;
  return (
    leaf.leafNodeSource !== 'update' &&
    (leaf.leafNodeSource !== 'key_package' ||
      (leaf.lifetime.notBefore === LEAF_LIFETIME.notBefore && leaf.lifetime.notAfter === LEAF_LIFETIME.notAfter)) &&
    leaf.extensions.length === 0 &&
    leaf.credential.credentialType === 'basic' &&
    JSON.stringify(told) === JSON.stringify(leafCapabilities())
  );
}

/** Nothing of an old epoch is kept by ts-mls: member messages have their own seal (envelope.ts), frames their own keys. */
export function clientConfig(authService: AuthenticationService): ClientConfig {
  return {
    keyRetentionConfig: {
      retainKeysForGenerations: 0,
      retainKeysForEpochs: 1,
      maximumForwardRatchetSteps: MAX_STAGED_PER_EPOCH,
    },
    lifetimeConfig: { maximumTotalLifetime: 2n ** 63n, validateLifetimeOnReceive: false },
    keyPackageEqualityConfig: defaultKeyPackageEqualityConfig,
    paddingConfig: { kind: 'padUntilLength', padUntilLength: 0 },
    authService,
  };
}

/** Id of the external PSK of one generation in one group: "parley psk" ‖ generation(4) ‖ group id(32). */
export function pskIdOf(generation: number, groupId: Uint8Array): Bytes {
  return concat(utf8('parley psk'), new Writer().u32(generation).fixed(groupId).done());
}

/** RFC 9420 §8.5. @param length 1 to 255 · 64 bytes */
export async function exportSecret(secret: Uint8Array, label: string, context: Bytes, length: number): Promise<Bytes> {
  return owned(await mlsExporter(secret, label, context, length, await suite()));
}
