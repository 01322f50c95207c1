/**
 * One message between members: sealed under the epoch, signed by the sender's leaf key.
 *
 *     envelope = header ‖ nonce(24) ‖ ciphertext ‖ tag(16)
 *     header   = version(1) = 1 ‖ epoch(8) ‖ sender's leaf(2)                        readable, authenticated as AAD
 *     content  = signature(64) ‖ opaque8 to ‖ opaque8 kind ‖ sequence(8) ‖ opaque32 body ‖ zeros to a multiple of 256
 *
 * The signature covers group id, epoch, sender's leaf key, recipient, kind, sequence and body, so no other member can
 * speak for the sender, and nothing can be moved to another epoch, group or recipient. Sealing: XChaCha20-Poly1305 under
 * the exporter secret "parley message". Lengths tell the server little: they come in steps of 256 bytes.
 * Every member who gets an envelope can read it: `to` says whom it is for. Against repetition there is SequenceGuard.
 */
import type { Bytes } from './bytes.ts';
import { concat, labelled, utf8 } from './bytes.ts';
import { Reader, Writer } from './codec.ts';
import { CryptoError } from './errors.ts';
import { aeadOpen, aeadSeal } from './primitives.ts';
import { verifyBytes } from './signed.ts';

/** What `sign` is asked to sign under. */
export const ENVELOPE_LABEL = 'parley message 1';
const VERSION = 1;
const HEADER_BYTES = 11;
const SIGNATURE_BYTES = 64;
const STEP_BYTES = 256;
/** Kinds remembered of one sender; there are a dozen, and a member who invents more must not fill our memory. */
const MAX_KINDS = 64;
/** Steps remembered one by one: more than a connection takes to be made, candidates included. */
const LATE = 64;

/** What was accepted of one sender and kind: everything up to `floor` counts as taken, and single ones above it. */
interface Taken {
  floor: number;
  above: number[];
}

/** Where and by whom a message is sealed; both ends have to agree on all of it. */
interface Context {
  /** Exporter secret "parley message" of this epoch, 32 bytes. */
  readonly key: Bytes;
  readonly groupId: Bytes;
  readonly epoch: number;
  /** Public signature key of the sender's leaf, 32 bytes. */
  readonly senderLeafKey: Bytes;
}

export interface Message {
  /** Peer id of the recipient, '' for everybody. */
  readonly to: string;
  /** What it is, e.g. 'offer'; at most 255 bytes. */
  readonly kind: string;
  /** Rises with each message of a sender and kind; below 2^53. */
  readonly sequence: number;
  readonly body: Bytes;
}

/**
 * @param options.leaf  the sender's leaf index, a hint by which the reader finds the key
 * @param options.sign  signs label ‖ 0x00 ‖ bytes with the sender's leaf key (signed.ts)
 */
export async function seal(
  options: Context & Message & { leaf: number; sign: (label: string, bytes: Bytes) => Promise<Bytes> },
): Promise<Bytes> {
  const { key, epoch, leaf, to, kind, sequence, body } = options;
  const header = new Writer().u8(VERSION).u64(epoch).u16(leaf).done();
  const signature = await options.sign(ENVELOPE_LABEL, signedPart(options, options));
  if (signature.length !== SIGNATURE_BYTES) throw new CryptoError('usage', 'an Ed25519 signature has 64 bytes');
  const content = new Writer()
    .fixed(signature)
    .opaque8(utf8(to))
    .opaque8(utf8(kind))
    .u64(sequence)
    .opaque32(body)
    .done();
  const padded = new Uint8Array(Math.ceil(content.length / STEP_BYTES) * STEP_BYTES);
  padded.set(content);
  return concat(header, await aeadSeal(key, padded, aad(options.groupId, header)));
}

/**
 * Opens a message and checks who sent it and to whom.
 * @param options.senderLeafKey  the key of the leaf that the header names: the signature proves that it is the sender's
 * @param options.expectTo       our own peer id; messages to it and to everybody open
 * @throws CryptoError 'malformed' if it is no envelope, 'forged' for another key, epoch, group, sender or recipient
 */
export async function open(options: Context & { expectTo: string }, bytes: Bytes): Promise<Message> {
  if (parseEnvelopeHeader(bytes).epoch !== options.epoch) throw new CryptoError('forged', 'of another epoch');
  const header = bytes.subarray(0, HEADER_BYTES);
  const content = await aeadOpen(options.key, bytes.subarray(HEADER_BYTES), aad(options.groupId, header));

  const reader = new Reader(content);
  const signature = reader.fixed(SIGNATURE_BYTES);
  const message: Message = {
    to: reader.text8(),
    kind: reader.text8(),
    sequence: reader.u64(),
    body: reader.opaque32(),
  };
  if (reader.remaining >= STEP_BYTES || reader.rest().some((byte) => byte !== 0)) {
    throw new CryptoError('malformed', 'padded in another way');
  }
  if (message.to !== '' && message.to !== options.expectTo) throw new CryptoError('forged', 'for somebody else');
  if (!(await verifyBytes(ENVELOPE_LABEL, signedPart(options, message), signature, options.senderLeafKey))) {
    throw new CryptoError('forged', 'not by its sender');
  }
  return message;
}

/**
 * Epoch and leaf as the envelope claims them: enough to look up key and sender, not to be believed before it opens.
 * @throws CryptoError 'malformed' if it is no envelope of this version
 */
export function parseEnvelopeHeader(bytes: Bytes): { epoch: number; leaf: number } {
  const reader = new Reader(bytes);
  if (reader.u8() !== VERSION) throw new CryptoError('malformed', 'no envelope of version 1');
  return { epoch: reader.u64(), leaf: reader.u16() };
}

function aad(groupId: Bytes, header: Bytes): Bytes {
  return labelled(ENVELOPE_LABEL, new Writer().opaque8(groupId).fixed(header).done());
}

function signedPart(context: Context, message: Message): Bytes {
  return new Writer()
    .opaque8(context.groupId)
    .u64(context.epoch)
    .opaque8(context.senderLeafKey)
    .opaque8(utf8(message.to))
    .opaque8(utf8(message.kind))
    .u64(message.sequence)
    .opaque32(message.body)
    .done();
}

/**
 * Refuses messages that come a second time, and old news: per sender and kind the sequence has to rise. Gaps are fine.
 *
 * Kinds that are no news but steps (each one counts, whichever comes first) may come in any order, each once, up to
 * `LATE` of them behind. Ask only for messages that `open` gave out, or a forger could use up the numbers.
 */
export class SequenceGuard {
  readonly #steps: ReadonlySet<string>;
  readonly #taken = new Map<string, Map<string, Taken>>();

  /** @param steps kinds that may come in any order */
  constructor(steps: ReadonlySet<string> = new Set()) {
    this.#steps = steps;
  }

  /** @returns false, and nothing changes, for a sequence that was accepted before or comes too late */
  accept(sender: string, kind: string, sequence: number): boolean {
    const kinds = this.#taken.get(sender) ?? new Map<string, Taken>();
    const taken = kinds.get(kind) ?? { floor: -1, above: [] };
    if (!kinds.has(kind) && kinds.size >= MAX_KINDS) return false;
    if (sequence <= taken.floor || taken.above.includes(sequence)) return false;
    if (this.#steps.has(kind)) taken.above.push(sequence);
    else taken.floor = sequence;
    if (taken.above.length > LATE) {
      // The lowest gives way: at and below it nothing can be told apart any more.
      taken.above.sort((a, b) => a - b);
      taken.floor = taken.above.shift()!;
    }
    this.#taken.set(sender, kinds.set(kind, taken));
    return true;
  }

  /** For a sender who left for good. One who could come back under the same id must not be forgotten. */
  forget(sender: string): void {
    this.#taken.delete(sender);
  }
}
