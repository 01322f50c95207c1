/**
 * Members who forget nothing: what the product's own code gives its keyrings in this process, kept for after the call.
 *
 * The product wipes keys; this is how a test has a real member's keys when it opens a recording, and how it knows which bytes must
 * never have been seen anywhere. Members are told apart by the order in which they came.
 */
import type { Bytes } from '../../crypto/bytes.ts';
import { Group } from '../../crypto/group.ts';
import { Keyring } from '../../crypto/keyring.ts';

/** As `Keyring.install` takes it. */
export interface EpochEntry {
  readonly epoch: number;
  readonly ownLeaf: number;
  readonly baseKey: Bytes;
  readonly leaves: readonly number[];
}

export interface KeyLog {
  /** Epochs of each member of this process. */
  readonly rings: readonly EpochEntry[][];
  /** Every output of the exporter, of each of them. */
  readonly exported: readonly Bytes[][];
  /** Lets the product be as it was. */
  close(): void;
}

export function startKeyLog(): KeyLog {
  const rings = new Map<Keyring, EpochEntry[]>();
  const exported = new Map<Group, Bytes[]>();
  const { install } = Keyring.prototype;
  const { exporter } = Group.prototype;
  Keyring.prototype.install = function (this: Keyring, entry) {
    keep(rings, this, { ...entry, baseKey: entry.baseKey.slice() });
    return install.call(this, entry);
  };
  Group.prototype.exporter = async function (this: Group, ...terms) {
    const secret = await exporter.apply(this, terms);
    keep(exported, this, secret.slice());
    return secret;
  };
  return {
    get rings() {
      return [...rings.values()];
    },
    get exported() {
      return [...exported.values()];
    },
    close() {
      Keyring.prototype.install = install;
      Group.prototype.exporter = exporter;
    },
  };
}

function keep<K, V>(all: Map<K, V[]>, key: K, value: V): void {
  const known = all.get(key);
  if (known === undefined) all.set(key, [value]);
  else known.push(value);
}
