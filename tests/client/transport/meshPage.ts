/**
 * The page side of the transport's tests: several members in one page, each with a transport and a worker of its own. Signals go from
 * hand to hand; what concerns a relay goes to the test (`relayAsk`), which has a real one.
 */
import { ProtocolError } from '../../../signal/protocol/errors.ts';
import type { ErrorCode } from '../../../signal/protocol/errors.ts';
import type { ServerEvent } from '../../../signal/protocol/events.ts';
import type { PeerId } from '../../../signal/protocol/ids.ts';
import type { Topology } from '../../../signal/protocol/model.ts';
import {
  trackKinds,
  type Notice,
  type TrackKind,
  type TransformCounts,
  type TransformOptions,
} from '../../../client/e2ee/messages.ts';
import { createHandover } from '../../../client/transport/handover.ts';
import { createMesh } from '../../../client/transport/mesh.ts';
import { createRelay } from '../../../client/transport/relay.ts';
import { selfTest, type SelfTestResult } from '../../../client/transport/selfTest.ts';
import type { SealPort } from '../../../client/transport/sealPort.ts';
import type { MediaTransport, PathState, PathStats } from '../../../client/transport/transport.ts';

export interface Member {
  peer: PeerId;
  mesh: MediaTransport;
  worker: Worker;
  transforms: TransformOptions[];
  counts: Record<string, TransformCounts>;
  states: { peer: PeerId; state: PathState; at: number }[];
  tracks: { peer: PeerId; kind: TrackKind; track: MediaStreamTrack | null; at: number }[];
  stats: Record<string, PathStats>;
  data: string[];
  /** How many it has sent. */
  signals: number;
  /** Set to drop signals to and from this member. */
  cut: boolean;
}

export interface SealTrap {
  /** What happens to a `transform` that this member sets on its senders or receivers. */
  senders?: 'late' | 'never';
  receivers?: 'late' | 'never';
  /** Decodes whatever comes, sealed or not. */
  spy?: boolean;
}

export const members = new Map<PeerId, Member>();
export const connections: RTCPeerConnection[] = [];
globalThis.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(configuration?: RTCConfiguration) {
    super(configuration);
    connections.push(this);
  }
};

const name = (n: number) => `peer${n}`.padEnd(22, '0') as PeerId;

declare global {
  /** In the test: asks the relay as the server does for this peer. */
  var relayAsk: (peer: PeerId, name: string, params: object) => Promise<{ result?: unknown; error?: ErrorCode }>;
}

export async function addMembers(
  count: number,
  traps: Record<number, SealTrap> = {},
  at: Topology['at'] = 'mesh',
): Promise<void> {
  const leaves = Object.fromEntries(Array.from({ length: count }, (_, n) => [name(n), n]));
  await Promise.all(Array.from({ length: count }, (_, n) => addMember(n, leaves, traps[n] ?? {}, at)));
}

/** A handle on a worker, as the product's port, with the traps in it. What goes over it is written down in `record`. */
function portTo(worker: Worker, trap: SealTrap, record: Pick<Member, 'transforms' | 'counts' | 'data'>): SealPort {
  const listeners = new Set<(notice: Notice) => void>();
  const waiting = new Map<number, () => void>();
  let call = 0;
  worker.onmessage = ({ data }) => {
    if (data.type === 'answer') waiting.get(data.id)?.();
    if (data.type !== 'notice') return;
    for (const counts of data.notice.counts) record.counts[counts.id] = counts;
    for (const listener of listeners) listener(data.notice);
  };
  return {
    call: (which, params) =>
      new Promise((resolve) => {
        if (which === 'peer.data') record.data.push((params as { body: string }).body);
        waiting.set(++call, () => resolve({} as never));
        worker.postMessage({ type: 'call', id: call, name: which, params });
      }),
    onNotice: (listener) => (listeners.add(listener), () => listeners.delete(listener)),
    onDead: () => () => undefined,
    transform: (options, target) => {
      record.transforms.push(options);
      const set = () => void (target.transform = new RTCRtpScriptTransform(worker, options));
      const how = options.side === 'send' ? trap.senders : trap.receivers;
      if (how === undefined) set();
      else if (how === 'late') setTimeout(set, 0);
    },
  };
}

/** The loopback that a lobby runs, with a worker that has no key. */
export async function tryOut(trap: SealTrap): Promise<{ result: SelfTestResult; tookMs: number; transforms: number }> {
  const worker = new Worker('/unsafeSealWorker.js', { type: 'module' });
  const record = { transforms: [], counts: {}, data: [] };
  const began = performance.now();
  const result = await selfTest(portTo(worker, trap, record));
  worker.terminate();
  return { result, tookMs: performance.now() - began, transforms: record.transforms.length };
}

/** An event of the server about the relay. */
export function relayed(to: readonly PeerId[], event: ServerEvent): void {
  for (const peer of to) members.get(peer)?.mesh.relayed(event);
}

async function addMember(n: number, leaves: Record<string, number>, trap: SealTrap, at: Topology['at']): Promise<void> {
  const worker = new Worker('/unsafeSealWorker.js', { type: 'module' });
  await new Promise<void>((resolve) => {
    worker.onmessage = ({ data }) => data.type === 'ready' && resolve();
    worker.postMessage({ type: 'init', leaf: n, leaves, spy: trap.spy ?? false });
  });
  const member: Partial<Member> = {
    peer: name(n),
    worker,
    transforms: [],
    counts: {},
    states: [],
    tracks: [],
    stats: {},
    data: [],
    signals: 0,
    cut: false,
  };
  const port = portTo(worker, trap, member as Member);
  const self = name(n);
  const request = async (name: string, params: object): Promise<never> => {
    const { result, error } = await relayAsk(self, name, params);
    if (error !== undefined) throw new ProtocolError(error);
    return result as never;
  };
  const mesh = createHandover({
    self,
    iceServers: [],
    port,
    ways: { mesh: createMesh, relay: async () => createRelay },
    line: { request },
    topology: { number: 0, at },
    only: null,
    signal: (to, body) => {
      member.signals!++;
      setTimeout(() => {
        const other = members.get(to);
        if (other && !other.cut && !members.get(self)!.cut) other.mesh.receive(self, body);
      }, 1);
    },
  });
  member.mesh = mesh;
  mesh.on('state', (peer, state) => member.states!.push({ peer, state, at: performance.now() }));
  mesh.on('track', (peer, kind, track) => member.tracks!.push({ peer, kind, track, at: performance.now() }));
  mesh.on('stats', (peer, stats) => (member.stats![peer] = stats));
  members.set(self, member as Member);
}

export function meet(peers = [...members.keys()]): void {
  for (const peer of peers) members.get(peer)!.mesh.setPeers(peers);
}

export const member = (n: number): Member => members.get(name(n))!;

/** A picture of one colour that moves a little, so that encoders have work. */
export function picture(colour: string): MediaStreamTrack {
  const canvas = document.createElement('canvas');
  canvas.width = 640;
  canvas.height = 360;
  const context = canvas.getContext('2d')!;
  let tick = 0;
  setInterval(() => {
    context.fillStyle = colour;
    context.fillRect(0, 0, 640, 360);
    context.fillStyle = '#888';
    context.fillRect((tick++ * 4) % 640, 170, 20, 20);
  }, 50);
  return canvas.captureStream(20).getVideoTracks()[0]!;
}

/** A tone in Hz. */
export function tone(hertz: number): MediaStreamTrack {
  const context = new AudioContext();
  const oscillator = new OscillatorNode(context, { frequency: hertz });
  const destination = context.createMediaStreamDestination();
  oscillator.connect(destination);
  oscillator.start();
  return destination.stream.getAudioTracks()[0]!;
}

/** Average colour of the newest picture of a track, waiting up to `ms` for one that is not black. */
export async function colourOf(
  track: MediaStreamTrack | null | undefined,
  ms: number,
): Promise<[number, number, number]> {
  const video = document.createElement('video');
  video.muted = true;
  video.srcObject = new MediaStream(track ? [track] : []);
  void video.play().catch(() => undefined);
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 4;
  const context = canvas.getContext('2d', { willReadFrequently: true })!;
  const until = performance.now() + ms;
  let colour: [number, number, number] = [0, 0, 0];
  while (performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    if (video.readyState < 2) continue;
    context.drawImage(video, 0, 0, 4, 4);
    const [r = 0, g = 0, b = 0] = context.getImageData(1, 0, 1, 1).data;
    colour = [r, g, b];
    if (Math.max(r, g, b) > 40) break;
  }
  video.srcObject = null;
  return colour;
}

export const lastTrack = (m: Member, peer: PeerId, kind: TrackKind) =>
  m.tracks.findLast((one) => one.peer === peer && one.kind === kind)?.track;

export async function until(what: () => boolean, ms: number): Promise<boolean> {
  const end = performance.now() + ms;
  while (performance.now() < end) {
    if (what()) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return what();
}

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
export { trackKinds };
Object.assign(globalThis, {
  page: {
    tryOut,
    members,
    connections,
    relayed,
    addMembers,
    meet,
    member,
    picture,
    tone,
    colourOf,
    lastTrack,
    until,
    sleep,
    trackKinds,
  },
});
