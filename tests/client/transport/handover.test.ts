/** The change between mesh and relay, with ways that do what the test says: up, down, interrupted. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { TrackKind } from '../../../client/e2ee/messages.ts';
import { Emitter } from '../../../client/transport/emitter.ts';
import { createHandover } from '../../../client/transport/handover.ts';
import type { MeshOptions } from '../../../client/transport/mesh.ts';
import type { RelayOptions } from '../../../client/transport/relay.ts';
import type { SealPort } from '../../../client/transport/sealPort.ts';
import type {
  MediaTransport,
  MeshTransport,
  PathState,
  RelayTransport,
  Shown,
} from '../../../client/transport/transport.ts';
import type { PeerId } from '../../../signal/protocol/ids.ts';

const id = (name: string) => name.padEnd(22, 'A') as PeerId;
const [self, ben, carla, dan] = ['self', 'ben', 'carla', 'dan'].map(id) as [PeerId, PeerId, PeerId, PeerId];

/** A way on which peers appear as connecting, and deliver what the test lets them deliver. */
class FakeWay implements MeshTransport, RelayTransport {
  readonly #events = new Emitter();
  readonly on = this.#events.on.bind(this.#events);
  readonly flows = new Map<PeerId, Set<TrackKind>>();
  peers: readonly PeerId[] = [];
  held: boolean[] = [];
  retries = 0;
  closed = false;

  setPeers(peers: readonly PeerId[]): void {
    const before = this.peers;
    this.peers = [...peers];
    for (const peer of before) if (!peers.includes(peer)) this.#leave(peer);
    for (const peer of peers) if (!before.includes(peer)) this.state(peer, { at: 'connecting' });
  }
  #leave(peer: PeerId): void {
    for (const kind of this.flows.get(peer) ?? []) this.#events.emit('track', peer, kind, null);
    this.flows.delete(peer);
    this.state(peer, { at: 'closed' });
  }
  state(peer: PeerId, state: PathState): void {
    this.#events.emit('state', peer, state);
  }
  /** First frames are opened: what a sender begins with, and nothing real yet. */
  open(peer: PeerId, ...kinds: TrackKind[]): void {
    for (const kind of kinds) this.#events.emit('track', peer, kind, { kind, way: this } as never);
    this.state(peer, { at: 'connected', poor: false });
  }
  /** All that comes is real. */
  deliver(peer: PeerId, ...kinds: TrackKind[]): void {
    this.open(peer, ...kinds);
    this.flows.set(peer, new Set(kinds));
  }
  flowing = async (peer: PeerId) => this.flows.get(peer) ?? new Set<TrackKind>();
  published: TrackKind[] = [];
  publish = async (kind: TrackKind) => void this.published.push(kind);
  hold = (held: boolean) => void this.held.push(held);
  refresh = () => undefined;
  expect = () => undefined;
  receive = () => undefined;
  broadcast = () => undefined;
  produced = () => undefined;
  ended = () => undefined;
  shows: (readonly Shown[] | null)[] = [];
  watches: unknown[] = [];
  show = (pictures: readonly Shown[] | null) => void this.shows.push(pictures);
  watched = (producer: string, layer: number | null) => void this.watches.push([producer, layer]);
  retry = () => void this.retries++;
  renewals = 0;
  renew = () => void this.renewals++;
  retired = false;
  retire = () => void (this.retired = true);
  close = async () => void (this.closed = true);
}

let mesh: FakeWay;
let relays: FakeWay[];
let refuseCode: number;
let fetched: number;
let transport: MediaTransport;
let meshOptions: MeshOptions;
let relayOptions: RelayOptions;
let dead: () => void;
let pinged: boolean;
/** What is shown of each peer's kinds: names of the ways. */
let shown: Record<string, string>;
/** And the ways themselves. */
let sources: Record<string, FakeWay>;
let shows: number;
let states: Record<string, PathState>;
let said: { to: PeerId; number: number }[];
let asked: unknown[];

const relay = () => relays.at(-1)!;
const wait = (ms = 400) => vi.advanceTimersByTimeAsync(ms);
/** And what we have of them is on the screen by now. */
async function moved(from: PeerId, number: number): Promise<void> {
  transport.receive(from, JSON.stringify({ connection: number, data: { type: 'moved' } }));
  await wait(1300);
}

function start(at: 'mesh' | 'relay' = 'mesh', only: 'mesh' | 'relay' | null = null): void {
  const port: SealPort = {
    call: (() => (pinged ? Promise.resolve({}) : new Promise(() => undefined))) as never,
    onNotice: () => () => undefined,
    transform: () => undefined,
    onDead: (listener) => ((dead = listener), () => undefined),
  };
  transport = createHandover({
    self,
    iceServers: [],
    port,
    signal: (to, body) => said.push({ to, number: JSON.parse(body).connection }),
    line: {
      request: async (name: string, params: object) => (asked.push({ name, ...params }), {} as never),
    },
    topology: { number: 1, at },
    only,
    ways: {
      mesh: (options) => ((meshOptions = options), mesh),
      relay: async () => {
        fetched++;
        if (refuseCode-- > 0) throw new TypeError('offline');
        return (options) => {
          relayOptions = options;
          relays.push(new FakeWay());
          return relay();
        };
      },
    },
  });
  transport.on('track', (peer, kind, track) => {
    shows++;
    const key = `${peer.replace(/A+$/, '')} ${kind}`;
    if (!track) return void delete shown[key];
    const { way } = track as never as { way: FakeWay };
    sources[key] = way;
    shown[key] = way === mesh ? 'mesh' : 'relay';
  });
  transport.on('state', (peer, state) => (states[peer.replace(/A+$/, '')] = state));
}

beforeEach(() => {
  vi.useFakeTimers();
  mesh = new FakeWay();
  relays = [];
  refuseCode = 0;
  fetched = 0;
  pinged = true;
  shown = {};
  sources = {};
  shows = 0;
  states = {};
  said = [];
  asked = [];
});
afterEach(async () => {
  await transport.close();
  vi.useRealTimers();
});

/** Two see and hear each other in the mesh. */
async function inMesh(...peers: PeerId[]): Promise<void> {
  start();
  transport.setPeers([self, ...peers]);
  for (const peer of peers) mesh.deliver(peer, 'microphone', 'camera');
  await wait();
}

/** And then at the relay. */
async function atRelay(...peers: PeerId[]): Promise<void> {
  await inMesh(...peers);
  transport.follow({ number: 2, at: 'relay' });
  await wait();
  for (const peer of peers) relay().deliver(peer, 'microphone', 'camera');
  await wait();
  for (const peer of peers) await moved(peer, 2);
}

describe('up to the relay', () => {
  test('a picture stays in the mesh until the real one comes, and the black one that comes first is not shown', async () => {
    await inMesh(ben);
    transport.follow({ number: 2, at: 'relay' });
    await wait();
    relay().open(ben, 'microphone', 'camera');
    await wait(5000);
    expect(shown).toEqual({ 'ben microphone': 'mesh', 'ben camera': 'mesh' });
    expect(said).toEqual([]);
    relay().deliver(ben, 'microphone', 'camera');
    await wait();
    expect(shown).toEqual({ 'ben microphone': 'relay', 'ben camera': 'relay' });
    expect(said).toEqual([{ to: ben, number: 2 }]);
  });

  test('a mesh closes when both have said so, each picture shown once', async () => {
    await inMesh(ben, carla);
    transport.follow({ number: 2, at: 'relay' });
    await wait();
    const before = shows;
    relay().deliver(ben, 'microphone', 'camera');
    relay().deliver(carla, 'microphone', 'camera');
    await wait();
    expect(mesh.peers).toEqual([ben, carla]);
    await moved(ben, 2);
    expect(mesh.peers).toEqual([carla]);
    await moved(carla, 2);
    expect(mesh.peers).toEqual([]);
    await wait(5000);
    expect(shows - before).toBe(4);
    expect(Object.values(shown)).toEqual(['relay', 'relay', 'relay', 'relay']);
  });

  test('a mesh closes only when what comes by the relay had time to get on the screen', async () => {
    await inMesh(ben);
    transport.follow({ number: 2, at: 'relay' });
    await wait();
    transport.receive(ben, JSON.stringify({ connection: 2, data: { type: 'moved' } }));
    relay().deliver(ben, 'microphone', 'camera');
    await wait(900);
    expect([shown['ben camera'], mesh.peers]).toEqual(['relay', [ben]]);
    await wait(700);
    expect(mesh.peers).toEqual([]);
  });

  test('a mesh stays where the relay never delivers, whatever the other says and however long it takes', async () => {
    await inMesh(ben);
    transport.follow({ number: 2, at: 'relay' });
    await wait();
    await moved(ben, 2);
    await wait(120_000);
    expect(mesh.peers).toEqual([ben]);
    expect(shown['ben camera']).toBe('mesh');
    expect(states['ben']).toEqual({ at: 'connected', poor: false });
  });

  test('one who never says that he has moved is not waited for longer than 20 s after we have', async () => {
    await inMesh(ben);
    transport.follow({ number: 2, at: 'relay' });
    await wait();
    relay().deliver(ben, 'microphone', 'camera');
    await wait(19_000);
    expect(mesh.peers).toEqual([ben]);
    await wait(2000);
    expect(mesh.peers).toEqual([]);
  });

  test('where nothing came by either way when the other was told, what comes by the relay later is shown', async () => {
    start();
    transport.setPeers([self, ben]);
    mesh.open(ben, 'microphone', 'camera');
    transport.follow({ number: 2, at: 'relay' });
    await wait();
    relay().state(ben, { at: 'connected', poor: false });
    await wait();
    expect(said).toEqual([{ to: ben, number: 2 }]);
    relay().deliver(ben, 'microphone', 'camera');
    await wait();
    expect([shown['ben microphone'], shown['ben camera']]).toEqual(['relay', 'relay']);
    expect(said).toHaveLength(1);
  });

  test('a screen that is shared is waited for, a camera that is off is not', async () => {
    await inMesh(ben, carla);
    mesh.deliver(ben, 'microphone', 'camera', 'screen');
    mesh.flows.set(carla, new Set(['microphone']));
    transport.follow({ number: 2, at: 'relay' });
    await wait();
    relay().deliver(ben, 'microphone', 'camera');
    relay().deliver(carla, 'microphone');
    await wait();
    expect(said).toEqual([{ to: carla, number: 2 }]);
    expect(shown['ben screen']).toBe('mesh');
    relay().deliver(ben, 'microphone', 'camera', 'screen');
    await wait();
    expect(said.map(({ to }) => to)).toEqual([carla, ben]);
    expect(shown['ben screen']).toBe('relay');
  });

  test('newcomers come by the relay alone', async () => {
    await atRelay(ben);
    transport.setPeers([self, ben, dan]);
    relay().deliver(dan, 'camera');
    expect(shown['dan camera']).toBe('relay');
    expect(mesh.peers).toEqual([]);
  });

  test('its code is there before ICE is called stuck', async () => {
    await inMesh(ben);
    expect(fetched).toBe(0);
    await wait(1000);
    expect(fetched).toBe(1);
  });

  test('code that cannot be fetched is fetched again', async () => {
    await inMesh(ben);
    refuseCode = 2;
    transport.follow({ number: 2, at: 'relay' });
    await wait();
    expect(relays).toHaveLength(0);
    expect(mesh.peers).toEqual([ben]);
    await wait(10_000);
    expect(relays).toHaveLength(1);
  });
});

describe('down to the mesh', () => {
  test('the relay closes when both have said so to everybody, each picture shown once', async () => {
    await atRelay(ben, carla);
    const before = shows;
    transport.follow({ number: 3, at: 'mesh' });
    mesh.deliver(ben, 'microphone', 'camera');
    mesh.deliver(carla, 'microphone', 'camera');
    await wait();
    expect(said.filter(({ number }) => number === 3)).toHaveLength(2);
    expect(shown['ben camera']).toBe('mesh');
    await moved(ben, 3);
    expect(relay().closed).toBe(false);
    await moved(carla, 3);
    expect(relay().closed).toBe(true);
    await wait(5000);
    expect(shows - before).toBe(4);
  });

  test('nobody new is waited for, and who leaves is not', async () => {
    await atRelay(ben, carla);
    transport.follow({ number: 3, at: 'mesh' });
    transport.setPeers([self, ben, dan]);
    mesh.deliver(ben, 'microphone', 'camera');
    await wait();
    expect(relay().peers).toEqual([ben]);
    await moved(ben, 3);
    expect(relay().closed).toBe(true);
  });

  test('the relay is closed before the server would, and then the mesh is all there is', async () => {
    await atRelay(ben);
    transport.follow({ number: 3, at: 'mesh' });
    await wait(27_000);
    expect(relay().closed).toBe(false);
    expect(states['ben']).toEqual({ at: 'connected', poor: false });
    await wait(2000);
    expect(relay().closed).toBe(true);
    expect(states['ben']?.at).toBe('reconnecting');
  });
});

describe('interrupted', () => {
  test('down and up again in the middle: the picture stays by the way that shows it', async () => {
    await atRelay(ben);
    transport.follow({ number: 3, at: 'mesh' });
    mesh.open(ben, 'microphone', 'camera');
    await wait();
    const before = shows;
    transport.follow({ number: 4, at: 'relay' });
    await wait();
    await moved(ben, 4);
    expect(shown['ben camera']).toBe('relay');
    expect(mesh.peers).toEqual([]);
    expect(shows).toBe(before);
    expect(relays).toHaveLength(1);
  });

  test('up and down again before the relay has delivered: the mesh goes on', async () => {
    await inMesh(ben);
    transport.follow({ number: 2, at: 'relay' });
    await wait();
    transport.follow({ number: 3, at: 'mesh' });
    await wait();
    await moved(ben, 3);
    expect(relay().closed).toBe(true);
    expect(shown['ben camera']).toBe('mesh');
  });

  test('the relay loses the room: another is opened, and what there is goes on until then', async () => {
    await atRelay(ben);
    transport.follow({ number: 3, at: 'relay' });
    expect(relay().renewals).toBe(1);
    expect(relay().closed).toBe(false);
    expect(shown['ben camera']).toBe('relay');
    relay().state(ben, { at: 'connecting' });
    expect(states['ben']?.at).toBe('reconnecting');
    relay().deliver(ben, 'camera');
    expect(states['ben']?.at).toBe('connected');
    expect(relays).toHaveLength(1);
  });

  test('a server that restarted says mesh before its relay is back: what there was goes on, and another is opened once it says relay', async () => {
    await atRelay(ben);
    const first = relay();
    transport.follow({ number: 100, at: 'mesh' }, true);
    await wait();
    expect([first.retired, relays.length]).toEqual([false, 1]);
    expect(shown['ben camera']).toBe('relay');
    transport.follow({ number: 101, at: 'relay' });
    await wait();
    expect([first.retired, first.closed, relays.length]).toEqual([true, false, 2]);
    transport.follow({ number: 101, at: 'relay' });
    await wait();
    expect([relays.length, relay().retries]).toEqual([2, 1]);
  });

  test('a server that restarted: what came before is shown until the real thing comes again, sound and picture each, and nobody is reconnecting', async () => {
    await atRelay(ben);
    const first = relay();
    const before = shows;
    transport.follow({ number: 100, at: 'relay' }, true);
    await wait();
    relay().open(ben, 'microphone', 'camera');
    await wait();
    expect([sources['ben microphone'], sources['ben camera']]).toEqual([first, first]);
    expect(states['ben']).toEqual({ at: 'connected', poor: false });
    relay().flows.set(ben, new Set(['camera']));
    await wait();
    expect([sources['ben microphone'], sources['ben camera']]).toEqual([first, relay()]);
    expect(first.closed).toBe(false);
    relay().flows.set(ben, new Set(['camera', 'microphone']));
    await wait();
    expect([sources['ben microphone'], sources['ben camera']]).toEqual([relay(), relay()]);
    expect(shows - before).toBe(2);
    await wait(1000);
    expect([first.closed, relay().closed]).toEqual([true, false]);
  });

  test('a server that restarted: what is muted or held is so in the forgotten room as well, which is closed after ten seconds at the latest', async () => {
    await atRelay(ben, carla);
    const first = relay();
    transport.follow({ number: 100, at: 'relay' }, true);
    await wait();
    transport.hold(true);
    await transport.publish('camera', null);
    expect([first.held.at(-1), relay().held.at(-1)]).toEqual([true, true]);
    expect(first.published).toEqual(['camera']);
    transport.setPeers([self, ben]);
    expect(first.peers).toEqual([ben]);
    await wait(11_000);
    expect(first.closed).toBe(true);
    expect(shown['ben camera']).toBeUndefined();
    expect(states['ben']?.at).toBe('reconnecting');
  });

  test('a server that restarts again before the new room delivers: what delivers stays, and no third', async () => {
    await atRelay(ben);
    transport.follow({ number: 100, at: 'relay' }, true);
    await wait();
    transport.follow({ number: 200, at: 'relay' }, true);
    await wait();
    expect(relays.map(({ closed }) => closed)).toEqual([false, true, false]);
    expect(sources['ben camera']).toBe(relays[0]);
    await transport.close();
    expect(relays.map(({ closed }) => closed)).toEqual([true, true, true]);
  });

  test('older decisions are ignored; the same one again asks anew for what is missing', async () => {
    await atRelay(ben);
    transport.follow({ number: 1, at: 'mesh' });
    expect(relay().closed).toBe(false);
    transport.follow({ number: 2, at: 'relay' });
    expect(relay().retries).toBe(1);
  });
});

test('who leaves is shown no more', async () => {
  await inMesh(ben, carla);
  transport.setPeers([self, carla]);
  expect(Object.keys(shown)).toEqual(['carla microphone', 'carla camera']);
});

describe('the worker', () => {
  test('dies: both ways are held, and everybody is shown as unsafe', async () => {
    await inMesh(ben, carla);
    transport.follow({ number: 2, at: 'relay' });
    await wait();
    dead();
    expect(mesh.held.at(-1)).toBe(true);
    expect(relay().held.at(-1)).toBe(true);
    expect(states).toEqual({
      ben: { at: 'unsafe', detail: 'workerLost' },
      carla: { at: 'unsafe', detail: 'workerLost' },
    });
    relay().deliver(ben, 'camera');
    expect(states['ben']?.at).toBe('unsafe');
    transport.hold(false);
    expect(relay().held.at(-1)).toBe(true);
  });

  test('is dead before the relay opens: it opens held', async () => {
    await inMesh(ben);
    dead();
    transport.follow({ number: 2, at: 'relay' });
    await wait();
    expect(relayOptions.held).toBe(true);
    expect(relayOptions.isWorkerLost()).toBe(true);
  });

  test('is silent for a second: likewise, until it answers', async () => {
    await atRelay(ben);
    pinged = false;
    await wait(2000);
    expect(relay().held.at(-1)).toBe(true);
    expect(states['ben']).toEqual({ at: 'unsafe', detail: 'workerLost' });
  });
});

describe('a peer out of reach', () => {
  test('is reported while in the mesh, and taken back when it is found after all', async () => {
    start();
    transport.setPeers([self, ben]);
    meshOptions.stuck(ben);
    mesh.state(ben, { at: 'securing' });
    mesh.state(ben, { at: 'connected', poor: false });
    expect(asked).toEqual([
      { name: 'path.failed', peer: ben },
      { name: 'path.failed', peer: ben, withdrawn: true },
    ]);
    transport.follow({ number: 2, at: 'relay' });
    meshOptions.stuck(ben);
    expect(asked).toHaveLength(2);
  });
});

describe('a way that the host has fixed', () => {
  test('whatever the server says, a meeting that hides addresses makes no mesh', async () => {
    start('mesh', 'relay');
    transport.setPeers([ben]);
    transport.follow({ number: 2, at: 'mesh' });
    transport.follow({ number: 3, at: 'relay' });
    await wait();
    expect(mesh.peers).toEqual([]);
    expect(relay().peers).toEqual([ben]);
  });

  test('and one that trusts no relay opens none', async () => {
    start('relay', 'mesh');
    transport.setPeers([ben]);
    transport.follow({ number: 2, at: 'relay' });
    await wait();
    expect(relays).toEqual([]);
    expect(mesh.peers).toEqual([ben]);
  });
});

describe('what is on the screen', () => {
  const pictures = [{ peer: ben, kind: 'camera', height: 180 }] as const;

  test('is all that the relay is asked for, but for the time of a change', async () => {
    start();
    transport.setPeers([ben, carla]);
    for (const peer of [ben, carla]) mesh.deliver(peer, 'camera', 'microphone');
    transport.show(pictures);
    transport.follow({ number: 2, at: 'relay' });
    await wait();
    expect(relay().shows.at(-1)).toBeNull();
    for (const peer of [ben, carla]) {
      relay().deliver(peer, 'camera', 'microphone');
      await moved(peer, 2);
    }
    await wait(1000);
    expect(mesh.peers).toEqual([]);
    expect(relay().shows.at(-1)).toEqual(pictures);
  });

  test('of others is told to the relay that we send to', async () => {
    start('relay');
    await wait();
    transport.relayed({ type: 'relay.wanted', producer: 'x' as never, layer: 1 });
    expect(relay().watches).toEqual([['x', 1]]);
  });
});

test('who cannot carry the mesh says so, and only there', async () => {
  start();
  meshOptions.burdened();
  transport.follow({ number: 2, at: 'relay' });
  meshOptions.burdened();
  expect(asked.filter((one) => (one as { name: string }).name === 'path.burdened')).toHaveLength(1);
});
