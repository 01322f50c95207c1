/** What is believed of what members say to connect: sealed as y-webrtc seals it, written here by its own means. */
import { createEncoder, toUint8Array, writeAny, writeVarString, writeVarUint8Array } from 'lib0/encoding';
import { beforeAll, expect, test } from 'vitest';
import { openSignal } from '../../../client/chat/providers/webrtcSignal.ts';
import { random } from '../../../crypto/primitives.ts';

let key: CryptoKey;
const newKey = () => crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, true, ['encrypt', 'decrypt']);
beforeAll(async () => {
  key = await newKey();
});

async function seal(value: unknown, by = key, algorithm = 'AES-GCM'): Promise<string> {
  const plain = createEncoder();
  writeAny(plain, value as never);
  const iv = random(12);
  const bytes = toUint8Array(plain) as Uint8Array<ArrayBuffer>;
  const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, by, bytes));
  const encoder = createEncoder();
  writeVarString(encoder, algorithm);
  writeVarUint8Array(encoder, iv);
  writeVarUint8Array(encoder, sealed);
  return Buffer.from(toUint8Array(encoder)).toString('base64');
}

const OFFER = 'v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n';
const signal = (signal: object) => ({ type: 'signal', from: 'a', to: 'b', token: 1.5, signal });

test('announcements, descriptions and candidates are read', async () => {
  for (const value of [
    { type: 'announce', from: 'a' },
    signal({ type: 'offer', sdp: OFFER }),
    signal({ type: 'answer', sdp: OFFER }),
    signal({ type: 'candidate', candidate: { candidate: 'candidate:1 …', sdpMLineIndex: 0, sdpMid: '0' } }),
  ]) {
    expect(await openSignal(key, await seal(value))).toEqual(value);
  }
});

test('nothing but what connecting takes is handed on', async () => {
  const more = signal({ type: 'offer', sdp: OFFER, renegotiate: true, transceiverRequest: { kind: 'video' } });
  expect(await openSignal(key, await seal({ ...more, other: 1 }))).toEqual(signal({ type: 'offer', sdp: OFFER }));
});

test.each([
  ['a description with pictures', signal({ type: 'offer', sdp: `${OFFER}m=video 9 UDP/TLS/RTP/SAVPF 96\r\n` })],
  ['a description with sound', signal({ type: 'answer', sdp: `v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n${OFFER}` })],
  ['a wish to renegotiate', signal({ type: 'renegotiate', renegotiate: true })],
  ['a wish for a transceiver', signal({ type: 'transceiverRequest', transceiverRequest: { kind: 'video' } })],
  ['a sender without a name', { type: 'announce', from: '' }],
  ['a number for a sender', { type: 'announce', from: 1 }],
  ['another type', { type: 'leave', from: 'a' }],
  ['nothing', null],
])('%s is none', async (_, value) => {
  expect(await openSignal(key, await seal(value))).toBeNull();
});

test('what another key sealed, in another way, or is no message at all is none, and nothing throws', async () => {
  const value = { type: 'announce', from: 'a' };
  expect(await openSignal(key, await seal(value, await newKey()))).toBeNull();
  expect(await openSignal(key, await seal(value, key, 'none'))).toBeNull();
  const whole = await seal(value);
  for (const data of ['', '!', whole.slice(0, 8), whole.slice(0, -8), `A${whole.slice(1)}`]) {
    expect(await openSignal(key, data)).toBeNull();
  }
});
