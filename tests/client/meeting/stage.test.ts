/** What the media side hands its transport. */
import { expect, test, vi } from 'vitest';
import { Stage } from '../../../client/meeting/stage.ts';
import type { PeerId } from '../../../signal/protocol/ids.ts';

const given = vi.hoisted(() => ({ iceServers: [] as RTCIceServer[] }));
vi.mock('../../../client/transport/createTransport.ts', () => ({
  createTransport: (options: { iceServers: RTCIceServer[] }) => {
    given.iceServers = options.iceServers;
    const nothing = () => undefined;
    return { publish: nothing, setPeers: nothing, expect: nothing, on: nothing, close: async () => undefined };
  },
}));

test('connections made after a lost socket came back have the credentials that it came back with', async () => {
  const unused = new Proxy({}, { get: () => () => undefined }) as never;
  const stage = new Stage({ port: unused, line: unused, path: () => undefined, changed: () => undefined });
  const servers = (credential: string) => [{ urls: ['turn:turn.example.org'], username: 'u', credential }];
  await stage.start('a'.repeat(22) as PeerId, servers('old'), { number: 0, at: 'mesh' });
  expect(given.iceServers).toEqual(servers('old'));
  stage.setIceServers(servers('new'));
  expect(given.iceServers).toEqual(servers('new'));
});
