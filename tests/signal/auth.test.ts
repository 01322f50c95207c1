/** The server's node:crypto and the clients' crypto/ must agree, or nobody gets in. */
import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { base64url, utf8 } from '../../crypto/bytes.ts';
import * as invite from '../../crypto/invite.ts';
import { peerIdOf as peerIdOfLeaf } from '../../crypto/identity.ts';
import { random, signKeyPair } from '../../crypto/primitives.ts';
import { signText } from '../../crypto/signed.ts';
import { checkProof, meetingIdOf, openSigned, peerIdOf, sameToken, verifyText } from '../../signal/auth.ts';
import { iceServersFor } from '../../signal/ice.ts';
import { HostState, labels, proofText } from '../../signal/protocol/documents.ts';
import { MeetingId, type PeerId } from '../../signal/protocol/ids.ts';
import { newKey, TestMeeting } from './keys.ts';

describe('what clients make, the server checks alike', () => {
  test('ids of meetings and peers', async () => {
    for (let i = 0; i < 50; i++) {
      const { publicKey } = await signKeyPair();
      const text = base64url(publicKey);
      expect(meetingIdOf(text)).toBe(await invite.meetingIdOf(publicKey));
      expect(MeetingId.parse(meetingIdOf(text))).toMatch(/^(\w{4}-){3}\w{4}$/);
      expect(peerIdOf(text)).toBe(await peerIdOfLeaf(publicKey));
    }
  });

  test('proofs by the keys of an invite', async () => {
    const { publicKey } = await signKeyPair();
    const meeting = MeetingId.parse(await invite.meetingIdOf(publicKey));
    const { linkKey } = await invite.deriveLinkKeys(random(32), meeting);
    const challenge = base64url(random(32));
    const signature = base64url(await signText(labels.proveLink, proofText(meeting, challenge), linkKey.privateKey));
    const key = base64url(linkKey.publicKey);
    expect(checkProof(labels.proveLink, { meeting, challenge }, signature, key)).toBe(true);
    expect(checkProof(labels.proveAccess, { meeting, challenge }, signature, key)).toBe(false);
  });

  test('documents with letters of every kind', async () => {
    const { publicKey, privateKey } = await signKeyPair();
    const body = 'grüße, \u{1F600} \u0000 "quoted"';
    const signature = base64url(await signText('label', body, privateKey));
    expect(verifyText('label', body, signature, base64url(publicKey))).toBe(true);
    expect(verifyText('labe', `l\u0000${body}`, signature, base64url(publicKey))).toBe(false);
    expect(utf8(body).length).toBeGreaterThan(body.length);
  });
});

describe('a document', () => {
  const meeting = new TestMeeting();
  const state = meeting.state({ version: 3 });
  const open = (change: Partial<typeof state> = {}, key = meeting.host.publicKey) =>
    openSigned(labels.hostState, { ...state, ...change }, key, HostState);

  test('opens as it was signed', () => {
    expect(open()).toMatchObject({ version: 3, meeting: meeting.id });
  });

  test('does not open with any letter changed, under another key, or under one that is none', () => {
    for (let i = 0; i < state.body.length; i += 7) {
      const body = state.body.slice(0, i) + (state.body[i] === '1' ? '2' : '1') + state.body.slice(i + 1);
      expect(open({ body })).toBeNull();
    }
    expect(open({ body: `${state.body} ` })).toBeNull();
    expect(
      open({
        signature:
          `A${state.signature.slice(1)}` === state.signature
            ? `B${state.signature.slice(1)}`
            : `A${state.signature.slice(1)}`,
      }),
    ).toBeNull();
    expect(open({}, newKey().publicKey)).toBeNull();
    for (const key of ['', 'A'.repeat(43), '_'.repeat(43), 'A'.repeat(10)]) expect(open({}, key)).toBeNull();
  });

  test('does not open if it does not fit its schema, however well it is signed', () => {
    const sign = (body: string) => ({ body, signature: meeting.host.sign(labels.hostState, body) });
    for (const body of ['{}', 'null', '[]', 'not json', '{"version":1}', '{"__proto__":{"version":1}}']) {
      expect(openSigned(labels.hostState, sign(body), meeting.host.publicKey, HostState)).toBeNull();
    }
  });
});

test('tokens are compared whole', () => {
  expect(sameToken('abc', 'abc')).toBe(true);
  expect(sameToken('abc', 'abd')).toBe(false);
  expect(sameToken('abc', 'abcd')).toBe(false);
});

describe('ICE servers', () => {
  const peer = 'p'.repeat(22) as PeerId;
  const now = 1_700_000_000_900;
  const urls = ['turn:a.example'];

  test('come with credentials that expire, made as coturn checks them', () => {
    const access = { by: 'secret', secret: 'hush', ttlSeconds: 600 } as const;
    const [stun, turn] = iceServersFor({ stunUrls: ['stun:a.example'], turn: { urls, access } }, peer, now);
    const username = `1700000600:${peer}`;
    expect(stun).toEqual({ urls: ['stun:a.example'] });
    expect(turn).toEqual({ urls, username, credential: createHmac('sha1', 'hush').update(username).digest('base64') });
  });

  test('come with name and password where there is no secret, and not at all where there are none', () => {
    const access = { by: 'password', user: 'u', password: 'p' } as const;
    expect(iceServersFor({ stunUrls: [], turn: { urls, access } }, peer, now)).toEqual([
      { urls, username: 'u', credential: 'p' },
    ]);
    expect(iceServersFor({ stunUrls: [], turn: null }, peer, now)).toEqual([]);
  });
});
