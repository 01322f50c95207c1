/** The relay in this process, while it comes up and where it does not. */
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { hasWorker } from '../../relay/relay.ts';
import { whyNotStarted } from '../../signal/relay/open.ts';
import { LateRelay } from '../../signal/relays.ts';
import { Health } from '../../signal/protocol/http.ts';
import { FakeRelay } from '../support/fakeRelay.ts';
import { startApp, WITH_RELAY } from '../support/startApp.ts';

afterEach(() => vi.useRealTimers());
const terms = { onError: () => undefined, explain: String };

describe('a relay that is slow to start', () => {
  test('holds up the server for two seconds at most, and is there when it is there', async () => {
    vi.useFakeTimers();
    let started: (relay: FakeRelay) => void = () => undefined;
    const late = new LateRelay({ ...terms, start: () => new Promise((resolve) => (started = resolve)) });
    const looked = vi.fn();
    void late.looked.then(looked);
    await vi.advanceTimersByTimeAsync(1999);
    expect(looked).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(looked).toHaveBeenCalled();
    expect([late.isReady, late.failure]).toEqual([false, null]);
    started(new FakeRelay());
    await vi.advanceTimersByTimeAsync(0);
    expect(late.isReady).toBe(true);
  });

  test('does not hold up the end, and is closed when it starts after it', async () => {
    vi.useFakeTimers();
    let started: (relay: FakeRelay) => void = () => undefined;
    const late = new LateRelay({ ...terms, start: () => new Promise((resolve) => (started = resolve)) });
    const closed = vi.fn();
    void late.close().then(closed);
    await vi.advanceTimersByTimeAsync(2000);
    expect(closed).toHaveBeenCalled();
    const relay = new FakeRelay();
    const close = vi.spyOn(relay, 'close');
    started(relay);
    await vi.advanceTimersByTimeAsync(0);
    expect(close).toHaveBeenCalled();
    expect(late.isReady).toBe(false);
  });
});

test('a relay that did not start says so from then on, and is not tried again', async () => {
  vi.useFakeTimers();
  const start = vi.fn(() => Promise.reject(new Error('no')));
  const late = new LateRelay({ ...terms, start });
  await late.looked;
  expect(late.failure).toBe('Error: no');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(start).toHaveBeenCalledTimes(1);
});

test.each([
  [
    "uv_listen() failed [protocol:tcp, ip:'127.0.0.1', port:40001]: address already in use",
    /port 40001 is in use.*PARLEY_RELAY_PORT/,
  ],
  ["uv_udp_bind() failed [protocol:udp, ip:'203.0.113.9', port:9]: address not available", /PARLEY_RELAY_ADDRESS/],
  ["uv_udp_bind() failed [protocol:udp, ip:'0.0.0.0', port:9]: permission denied", /above 1023/],
  ['something with /a/path', /^its worker failed; the log says how$/],
])('what mediasoup calls %s is said in our words', (message, words) => {
  expect(whyNotStarted(new Error(message), 40_000)).toMatch(words);
});

test.skipIf(!hasWorker())('a port that is taken shows in /healthz, and people meet all the same', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as AddressInfo;
  const server = await startApp({ ...WITH_RELAY, PARLEY_RELAY_PORT: String(port), PARLEY_LOG_LEVEL: 'silent' });
  const response = await fetch(`${server.url}/healthz`);
  const { parts } = Health.parse(await response.json());
  expect(parts.relay).toEqual({ state: 'down', detail: expect.stringMatching(`port ${port} is in use`) });
  await server.close();
  taken.close();
});
