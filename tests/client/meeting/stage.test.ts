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

test('remembers since when a camera is shown, as long as it is', () => {
  const unused = new Proxy({}, { get: () => () => undefined }) as never;
  const stage = new Stage({ port: unused, line: unused, path: () => undefined, changed: () => undefined });
  const [a, b] = ['a', 'b'].map((letter) => letter.repeat(22) as PeerId) as [PeerId, PeerId];
  const camera = (peer: PeerId, height = 100) => ({ peer, kind: 'camera' as const, height });
  vi.useFakeTimers({ now: 5 });
  try {
    stage.show([camera(a), { peer: b, kind: 'screen', height: 100 }]);
    vi.setSystemTime(9);
    stage.show([camera(a, 200), camera(b)]);
    expect([...stage.shownSince]).toEqual([
      [a, 5],
      [b, 9],
    ]);
    stage.show([camera(b)]);
    vi.setSystemTime(12);
    stage.show([camera(a), camera(b)]);
    expect(stage.shownSince.get(a)).toBe(12);
  } finally {
    vi.useRealTimers();
  }
});
