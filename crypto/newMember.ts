/**
 * Becoming a member: a fresh leaf with its key package, and the Welcome that answers it (RFC 9420 §10, §12.4.3).
 *
 * A Welcome is refused unless it asked for exactly our PSK: ts-mls joins without one, or with any, without a word. So whoever
 * lacks link and password cannot bring us into a group of their own.
 */
import type { AuthenticationService, ClientState, KeyPackage, PreSharedKeyID, PrivateKeyPackage } from 'ts-mls';
import { createGroup, generateKeyPackageWithKey, joinGroupWithExtensions } from 'ts-mls';
import type { Bytes } from './bytes.ts';
import { equal, owned, wipe } from './bytes.ts';
import { encodeKeyPackage, isPsk } from './commitRules.ts';
import { CryptoError } from './errors.ts';
import { credentialFor, openCredential } from './identity.ts';
import type { Ledger } from './ledger.ts';
import { decodeLedger } from './ledger.ts';
import { LEAF_LIFETIME, SUITE, clientConfig, leafCapabilities, pskIdOf, suite } from './mlsSuite.ts';
import { isSoundPath, isSoundTree, parseMessage, wipeState } from './mlsState.ts';
import type { KeyPair } from './primitives.ts';
import { signKeyPair } from './primitives.ts';

/** GroupInfo extension that hands newcomers the ledger. From the range for private use (RFC 9420 §17.3). */
export const LEDGER_EXTENSION = 0xf0a1;
/** A Welcome for 100 newcomers into 256 leaves has about 900 kB. */
const MAX_WELCOME_BYTES = 1024 * 1024;

/** The secret of one generation for one group: invite.ts derives it. */
export interface Psk {
  readonly generation: number;
  /** 32 bytes. */
  readonly secret: Bytes;
}

/** A leaf of our own, not yet in a group. Its private keys go over to the group's state. */
export interface NewLeaf {
  readonly leafKey: Bytes;
  readonly keyPackage: KeyPackage;
  /** The key package as it is sent. */
  readonly encoded: Bytes;
  readonly keys: PrivateKeyPackage;
}

/**
 * Makes signature, init and encryption keys, and the key package that the identity vouches for (RFC 9420 §10).
 * @param identity Ed25519, seed of 32 bytes; only read
 * @returns keys that are the caller's: hand them to a group or wipe them with wipeLeaf
 */
export async function newLeaf(meetingId: string, identity: KeyPair): Promise<NewLeaf> {
  const leaf = await signKeyPair();
  const credential = await credentialFor(identity, leaf.publicKey, meetingId);
  const made = await generateKeyPackageWithKey(
    { credentialType: 'basic', identity: credential },
    leafCapabilities(),
    LEAF_LIFETIME,
    [],
    { publicKey: leaf.publicKey, signKey: leaf.privateKey },
    await suite(),
  );
  const { publicPackage, privatePackage } = made;
  return {
    leafKey: leaf.publicKey,
    keyPackage: publicPackage,
    encoded: encodeKeyPackage(publicPackage),
    keys: privatePackage,
  };
}

/** Overwrites the private keys of a leaf. Copies that a group has made of them stay. */
export function wipeLeaf({ keys }: NewLeaf): void {
  wipe(keys.initPrivateKey, keys.hpkePrivateKey, keys.signaturePrivateKey);
}

/** Lets only leaves into a tree whose identity vouches for their key, in this meeting. */
export function authServiceOf(meetingId: string): AuthenticationService {
  return {
    async validateCredential(credential, signaturePublicKey) {
      if (credential.credentialType !== 'basic' || signaturePublicKey.length !== 32) return false;
      try {
        await openCredential(owned(credential.identity), owned(signaturePublicKey), meetingId);
        return true;
      } catch {
        return false;
      }
    },
  };
}

/** The state of a group with us alone, at leaf 0 and epoch 0. It has copies of the leaf's keys. */
export async function foundGroup(meetingId: string, groupId: Bytes, leaf: NewLeaf): Promise<ClientState> {
  const config = clientConfig(authServiceOf(meetingId));
  const { initPrivateKey, hpkePrivateKey, signaturePrivateKey } = leaf.keys;
  const keys = {
    initPrivateKey,
    hpkePrivateKey: hpkePrivateKey.slice(),
    signaturePrivateKey: signaturePrivateKey.slice(),
  };
  return createGroup(groupId.slice(), leaf.keyPackage, keys, [], await suite(), config);
}

/**
 * Enters a group by a Welcome.
 * @throws CryptoError 'malformed'; 'unknownKey' if it asked for another PSK than ours, or none;
 *   'forged' if it is not for this leaf, anything in it does not hold, or it leads into another group
 */
export async function openWelcome(
  welcome: Bytes,
  leaf: NewLeaf,
  terms: { meetingId: string; groupId: Bytes; psk: Psk },
): Promise<{ state: ClientState; ledger: Ledger }> {
  const message = welcome.length <= MAX_WELCOME_BYTES ? parseMessage(welcome) : null;
  if (message?.wireformat !== 'mls_welcome' || message.welcome.cipherSuite !== SUITE) {
    throw new CryptoError('malformed', 'not a Welcome of our suite');
  }
  const { groupId, psk } = terms;
  const ours = pskIdOf(psk.generation, groupId);
  const asked: PreSharedKeyID[] = [];
  const pskIndex = {
    findPsk: (id: PreSharedKeyID): Uint8Array | undefined => {
      // One is all that we have; a list of thousands would keep us deriving.
      asked.push(id);
      return asked.length === 1 && isPsk(id, ours) ? psk.secret : undefined;
    },
  };
  let state: ClientState;
  let extensions;
  try {
    const config = clientConfig(authServiceOf(terms.meetingId));
    const { keyPackage, keys } = leaf;
    const impl = await suite();
    [state, extensions] = await joinGroupWithExtensions(
      message.welcome,
      keyPackage,
      keys,
      pskIndex,
      impl,
      undefined,
      undefined,
      config,
    );
  } catch (cause) {
    const refused = asked.length > 1 || asked.some((id) => !isPsk(id, ours));
    throw new CryptoError(refused ? 'unknownKey' : 'forged', 'the Welcome does not hold', { cause });
  }
  const { groupContext } = state;
  const handed = extensions.filter(({ extensionType }) => extensionType === LEDGER_EXTENSION);
  const others = extensions.filter(({ extensionType }) => extensionType !== LEDGER_EXTENSION);
  try {
    if (asked.length !== 1) throw new CryptoError('unknownKey', 'the Welcome did not ask for our PSK');
    if (!equal(groupContext.groupId, groupId)) throw new CryptoError('forged', 'a Welcome into another group');
    if (
      groupContext.extensions.length > 0 ||
      handed.length !== 1 ||
      others.some((one) => one.extensionType !== 'ratchet_tree')
    )
      throw new CryptoError('forged', 'a group with other extensions than ours');
    if (!isSoundTree(state.ratchetTree) || !(await isSoundPath(state)))
      throw new CryptoError('forged', 'a tree that does not hold');
    const ledger = decodeLedger(owned(handed[0]!.extensionData));
    if (ledger.floor > psk.generation) throw new CryptoError('forged', 'a generation that admits no longer');
    return { state, ledger };
  } catch (error) {
    // Another Welcome may still come for the same leaf.
    wipeState(state, Object.values(leaf.keys));
    throw error;
  }
}
