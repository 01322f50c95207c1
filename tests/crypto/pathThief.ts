/**
 * What somebody can open of a commit's path with every private key it ever had, its own leaf's index aside.
 *
 * ts-mls stops at a commit that removes us before it tries a key, and a thief would not: it looks from another leaf's place, and
 * tries all it has on all there is (RFC 9420 §7.6: each path secret is sealed once per node of a copath's resolution).
 */
import type { ClientState } from 'ts-mls';
import { acceptAll, decodeMlsMessage, processPrivateMessage } from 'ts-mls';
import { unprotectPrivateMessage } from 'ts-mls/messageProtection.js';
import type { Bytes } from '../../crypto/bytes.ts';
import { hex } from '../../crypto/bytes.ts';
import { membersOf } from '../../crypto/mlsState.ts';
import { suite } from '../../crypto/mlsSuite.ts';

/** Every private key of a tree that somebody ever had. */
export class KeyHoard {
  readonly #keys = new Map<string, Uint8Array>();

  keep(state: ClientState): void {
    for (const key of Object.values(state.privatePath.privateKeys)) this.#keys.set(hex(key), key.slice());
  }

  get keys(): Uint8Array[] {
    return [...this.#keys.values()];
  }
}

/**
 * Path secrets of `commit` that any of `keys` opens, of how many that are sealed in it.
 * @param state of the epoch that the commit ends
 * @param findPsk every PSK ever held, by its id
 */
export async function openedPathSecrets(
  state: ClientState,
  commit: Bytes,
  keys: readonly Uint8Array[],
  findPsk: (id: Uint8Array) => Uint8Array | undefined,
): Promise<{ opened: number; sealed: number }> {
  const impl = await suite();
  const message = decodeMlsMessage(commit, 0)![0];
  if (message.wireformat !== 'mls_private_message') throw new Error('not a private message');
  const { keySchedule, secretTree, ratchetTree, groupContext, clientConfig, privatePath } = state;
  const { content } = (
    await unprotectPrivateMessage(
      keySchedule.senderDataSecret,
      message.privateMessage,
      secretTree,
      ratchetTree,
      groupContext,
      clientConfig.keyRetentionConfig,
      impl,
    )
  ).content;
  if (content.contentType !== 'commit' || content.sender.senderType !== 'member') throw new Error('not a commit');
  const { leafIndex: committer } = content.sender;
  const { proposals, path } = content.commit;
  const gone = proposals.flatMap((one) =>
    one.proposalOrRefType === 'proposal' && one.proposal.proposalType === 'remove' ? [one.proposal.remove.removed] : [],
  );

  // A commit that only adds has no path: everybody derives the next epoch from the last and the PSK.
  if (path === undefined) return { opened: 0, sealed: 0 };
  const sealed = path.nodes.flatMap(({ encryptedPathSecret }) => encryptedPathSecret);

  // From the place of one who remains ts-mls goes as far as to the first secret, and says there what it is bound to.
  let info: Uint8Array | undefined;
  const open: typeof impl.hpke.open = async (_key, _kemOutput, _ciphertext, bound) => {
    info = bound;
    throw new Error('seen enough');
  };
  const looking = { ...impl, hpke: { ...impl.hpke, open } };
  const anywhere = new Proxy<Record<number, Uint8Array>>({}, { get: () => keys[0] });
  const pskIndex: Parameters<typeof processPrivateMessage>[2] = {
    findPsk: (id) => (id.psktype === 'external' ? findPsk(id.pskId) : undefined),
  };
  for (const { leaf } of await membersOf(ratchetTree, [])) {
    if (info !== undefined || leaf === committer || gone.includes(leaf)) continue;
    const placed = { ...state, privatePath: { ...privatePath, leafIndex: leaf, privateKeys: anywhere } };
    await processPrivateMessage(placed, message.privateMessage, pskIndex, looking, acceptAll).catch(() => undefined);
  }
  if (info === undefined) {
    if (sealed.length > 0) throw new Error('did not come as far as the path');
    return { opened: 0, sealed: 0 };
  }

  let opened = 0;
  for (const key of keys) {
    const imported = await impl.hpke.importPrivateKey(key);
    for (const { kemOutput, ciphertext } of sealed) {
      const secret = await impl.hpke.open(imported, kemOutput, ciphertext, info).catch(() => null);
      if (secret !== null) opened++;
    }
  }
  return { opened, sealed: sealed.length };
}
