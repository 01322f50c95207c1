/**
 * The connection between signal and a relay on another host: a WebSocket that the relay opens, text messages of JSON.
 *
 * `challenge` (signal) → `hello` (relay, with its proof) → `welcome` (signal, with its own). From then on signal asks by
 * `relayControl.ts`, and the relay answers, tells events, and says once a second how it is. Both prove that they know the shared
 * secret before anything else is said; the secret itself never travels. What runs here is no secret of people's, but keys of pipes
 * and of ICE are: over a network that is not yours, use wss.
 */
import * as z from 'zod/mini';
import { RelayEvent, RelayId } from './relayControl.ts';
import { WireError } from './wire.ts';

export const RELAY_PROTOCOL = 1;
/** Where relays knock. */
export const RELAY_PATH = '/relay';
/** The relay says how it is this often; silent for three times as long, it is lost. The other way it is the same, by pings. */
export const STATUS_MS = 1000;

/** 32 bytes, base64url. */
const Nonce = z.string().check(z.regex(/^[A-Za-z0-9_-]{43}$/));

export const RelayChallenge = z.object({
  type: z.literal('challenge'),
  protocol: z.int(),
  nonce: Nonce,
});
export type RelayChallenge = z.infer<typeof RelayChallenge>;

export const RelayHello = z.object({
  type: z.literal('hello'),
  protocol: z.int(),
  relay: RelayId,
  /** Where it stands, in words that the operator chose. */
  region: z.string().check(z.maxLength(64)),
  nonce: Nonce,
  proof: Nonce,
});
export type RelayHello = z.infer<typeof RelayHello>;

export const RelayWelcome = z.object({ type: z.literal('welcome'), proof: Nonce });

/** From signal. */
export const RelayRequest = z.object({ id: z.int(), name: z.string().check(z.maxLength(64)), params: z.unknown() });

/** From the relay. */
export const RelayAnswer = z.union([
  z.object({ id: z.int(), result: z.unknown() }),
  z.object({ id: z.int(), error: WireError }),
  z.object({ event: RelayEvent }),
  z.object({
    status: z.object({
      isReady: z.boolean(),
      peers: z.int().check(z.nonnegative()),
      /** Peers that it is meant for. */
      capacity: z.int().check(z.minimum(1)),
    }),
  }),
]);
export type RelayAnswer = z.infer<typeof RelayAnswer>;

/** What both sides know of a connection that is being made. */
export interface RelayTerms {
  readonly relay: string;
  readonly region: string;
  /** Of signal's challenge, and of the relay's hello. */
  readonly signalNonce: string;
  readonly relayNonce: string;
}

const encoder = new TextEncoder();

/** HMAC-SHA-256 (RFC 2104) over who proves it, and the terms. @returns base64url */
export async function relayProof(secret: string, by: 'relay' | 'signal', terms: RelayTerms): Promise<string> {
  return toBase64url(new Uint8Array(await crypto.subtle.sign('HMAC', await keyOf(secret), wordsOf(by, terms))));
}

/** In constant time. */
export async function isRelayProof(
  secret: string,
  by: 'relay' | 'signal',
  terms: RelayTerms,
  proof: string,
): Promise<boolean> {
  return crypto.subtle.verify('HMAC', await keyOf(secret), fromBase64url(proof), wordsOf(by, terms));
}

/** @returns 32 random bytes, base64url */
export function drawNonce(): string {
  return toBase64url(crypto.getRandomValues(new Uint8Array(32)));
}

function keyOf(secret: string): Promise<CryptoKey> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  return crypto.subtle.importKey('raw', encoder.encode(secret), algorithm, false, ['sign', 'verify']);
}

function wordsOf(by: 'relay' | 'signal', { relay, region, signalNonce, relayNonce }: RelayTerms) {
  return encoder.encode(JSON.stringify(['parley relay', RELAY_PROTOCOL, by, relay, region, signalNonce, relayNonce]));
}

function toBase64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}

function fromBase64url(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));
}
