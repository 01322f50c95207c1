/** What is read of Janus's descriptions, and how a member answers. */
import { expect, test } from 'vitest';
import { offerOf, receiverSdp, senderSdp } from './janusSdp.ts';

const fingerprint = 'AB:CD';
const offer = [
  'v=0',
  'm=video 9 UDP/TLS/RTP/SAVPF 101',
  'a=mid:v1',
  'a=rtpmap:101 VP8/90000',
  'a=ice-ufrag:jAnS',
  'a=ice-pwd:secretOfJanus',
  'a=fingerprint:sha-256 12:34',
  'a=candidate:1 1 udp 2015363327 192.0.2.2 49987 typ host',
  'a=end-of-candidates',
].join('\r\n');

test('Janus’s address, credentials and certificate are read, and that it is a full agent', () => {
  expect(offerOf(offer)).toMatchObject({
    iceParameters: { usernameFragment: 'jAnS', password: 'secretOfJanus', iceLite: false },
    iceCandidates: [{ address: '192.0.2.2', port: 49_987, protocol: 'udp' }],
    dtlsParameters: { fingerprints: [{ algorithm: 'sha-256', value: '12:34' }] },
  });
});

test('a description that leaves out the address or the password is refused', () => {
  expect(() => offerOf(offer.replace(/a=candidate.*/, ''))).toThrow('no address');
  expect(() => offerOf(offer.replace(/a=ice-pwd.*/, ''))).toThrow('ice-pwd');
});

test('a receiver answers for the section and the payload type that were offered', () => {
  const answer = receiverSdp({ fingerprint, offer }).split('\r\n');
  expect(answer).toEqual(
    expect.arrayContaining(['a=mid:v1', 'a=rtpmap:101 VP8/90000', 'a=recvonly', 'a=setup:active']),
  );
});

test('a sender names its one stream', () => {
  expect(senderSdp({ fingerprint, ssrc: 7 })).toContain('a=ssrc:7 cname:');
});
