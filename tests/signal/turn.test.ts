/** The credentials that people are given, judged by coturn itself: an Allocate request (RFC 8656 §7) for each. */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { iceServersFor } from '../../signal/ice.ts';
import type { PeerId } from '../../signal/protocol/ids.ts';
import { startTurnServer, type TurnServer, turnServerPath } from '../support/turnServer.ts';

const TTL_S = 600;
const peer = 'p'.repeat(22) as PeerId;
const missing = turnServerPath() === null;
if (missing && process.env['CI']) throw new Error('CI needs coturn (Debian: apt-get install coturn)');

// RFC 8489 §5, §14 and RFC 8656 §18.
const COOKIE = 0x2112a442;
const ALLOCATE = 0x0003;
const SUCCESS = 0x0103;
const [USERNAME, INTEGRITY, ERROR, REALM, NONCE, TRANSPORT] = [0x06, 0x08, 0x09, 0x14, 0x15, 0x19] as const;
const UDP = Buffer.of(17, 0, 0, 0);

function attribute(type: number, value: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(value.length, 2);
  return Buffer.concat([head, value, Buffer.alloc(-value.length & 3)]);
}

function message(body: Buffer, extra = 0): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt16BE(ALLOCATE, 0);
  head.writeUInt16BE(body.length + extra, 2);
  head.writeUInt32BE(COOKIE, 4);
  return Buffer.concat([head, randomBytes(12), body]);
}

function attributesOf(answer: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 20; at + 4 <= answer.length;) {
    const length = answer.readUInt16BE(at + 2);
    found.set(answer.readUInt16BE(at), answer.subarray(at + 4, at + 4 + length));
    at += 4 + length + (-length & 3);
  }
  return found;
}

/** 'allocated', or the code of the refusal. */
async function allocate(port: number, username: string, password: string): Promise<'allocated' | number> {
  const socket = createSocket('udp4');
  const ask = (text: Buffer) =>
    new Promise<Buffer>((resolve) => {
      const send = () => socket.send(text, port, '127.0.0.1');
      // RFC 8489 §6.2.1: what is lost is sent again.
      const again = setInterval(send, 500);
      socket.once('message', (answer) => {
        clearInterval(again);
        resolve(answer);
      });
      send();
    });
  try {
    const challenge = attributesOf(await ask(message(attribute(TRANSPORT, UDP))));
    const realm = challenge.get(REALM)!;
    const body = Buffer.concat([
      attribute(TRANSPORT, UDP),
      attribute(USERNAME, Buffer.from(username)),
      attribute(REALM, realm),
      attribute(NONCE, challenge.get(NONCE)!),
    ]);
    // RFC 8489 §9.2.2, §14.5: the length counts the integrity that follows.
    const key = createHash('md5')
      .update(`${username}:${String(realm)}:${password}`)
      .digest();
    const text = message(body, 24);
    const proof = attribute(INTEGRITY, createHmac('sha1', key).update(text).digest());
    const answer = await ask(Buffer.concat([text, proof]));
    if (answer.readUInt16BE(0) === SUCCESS) return 'allocated';
    const refusal = attributesOf(answer).get(ERROR)!;
    return refusal[2]! * 100 + refusal[3]!;
  } finally {
    socket.close();
  }
}

describe.skipIf(missing)('credentials for coturn (Debian: apt-get install coturn)', () => {
  let turn: TurnServer;
  let port: number;
  beforeAll(async () => {
    turn = await startTurnServer();
    port = Number(/:(\d+)(?:\?|$)/.exec(turn.url)![1]);
  });
  afterAll(() => turn?.close());

  const credentials = (secret: string, at = Date.now()) => {
    const access = { by: 'secret', secret, ttlSeconds: TTL_S } as const;
    const [server] = iceServersFor({ stunUrls: [], turn: { urls: [turn.url], access } }, peer, at);
    return [server!.username!, server!.credential!] as const;
  };

  test('are good until they expire', async () => {
    expect(await allocate(port, ...credentials(turn.secret))).toBe('allocated');
    expect(await allocate(port, ...credentials(turn.secret, Date.now() - (TTL_S - 60) * 1000))).toBe('allocated');
    expect(await allocate(port, ...credentials(turn.secret, Date.now() - (TTL_S + 60) * 1000))).toBe(401);
  });

  test('made with another secret, or for a longer time by whoever has them, are good for nothing', async () => {
    expect(await allocate(port, ...credentials('another secret'))).toBe(401);
    const [username, credential] = credentials(turn.secret);
    const longer = username.replace(/^\d+/, (expiry) => String(Number(expiry) + 86_400));
    expect(await allocate(port, longer, credential)).toBe(401);
  });
});
