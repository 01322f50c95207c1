/**
 * A call without our product: one RTCPeerConnection for each other person, offers and answers over a plain WebSocket hub.
 *
 * VP8 and Opus as in the product, the same devices and bitrates; with `seal` also the product's frame transforms. The floor that
 * the product is measured against.
 */
import type { TransformCounts } from '../../../client/e2ee/messages.ts';
import { play } from './play.ts';

export interface BareCall {
  /** Milliseconds from the call of `join` to the first presented picture of each of those who are there. */
  join(options: { hub: string; seal: boolean }): Promise<number[]>;
  videoOf(peer: number): HTMLVideoElement | undefined;
  own: number;
  counts(): TransformCounts[];
}

declare global {
  var bareCall: BareCall;
}

type Message =
  | { type: 'welcome'; own: number; others: number[] }
  | { type: 'description'; from: number; description: RTCSessionDescriptionInit }
  | { type: 'candidate'; from: number; candidate: RTCIceCandidateInit };

const BASE_KEY = Uint8Array.from({ length: 32 }, (_, i) => i);
const connections = new Map<number, RTCPeerConnection>();
const videos = new Map<number, HTMLVideoElement>();
const counts = new Map<string, TransformCounts>();
let stream: MediaStream;
let worker: Worker | null = null;

async function startWorker(leaf: number): Promise<Worker> {
  const started = new Worker('/seal.js', { type: 'module' });
  const ready = new Promise<void>((resolve) => {
    started.onmessage = ({ data }: MessageEvent<{ type: string; counts?: TransformCounts[] }>) => {
      if (data.type === 'ready') resolve();
      for (const count of data.counts ?? []) counts.set(count.id, count);
    };
  });
  started.postMessage({ leaf, baseKey: BASE_KEY });
  await ready;
  return started;
}

function seal(transceiver: RTCRtpTransceiver, peer: number, media: string): void {
  if (worker === null) return;
  const codec = media === 'audio' ? 'opus' : 'vp8';
  const kind = media === 'audio' ? 'microphone' : 'camera';
  const id = `${peer} ${kind}`;
  transceiver.sender.transform = new RTCRtpScriptTransform(worker, { id: `send ${id}`, side: 'send', kind, codec });
  transceiver.receiver.transform = new RTCRtpScriptTransform(worker, {
    id: `receive ${id}`,
    side: 'receive',
    kind,
    codec,
    peer: String(peer),
  });
}

function connect(socket: WebSocket, peer: number, initiator: boolean, onPicture: () => void): RTCPeerConnection {
  const connection = new RTCPeerConnection();
  connections.set(peer, connection);
  const send = (message: object): void => socket.send(JSON.stringify({ to: peer, ...message }));
  connection.onicecandidate = ({ candidate }) =>
    candidate && send({ type: 'candidate', candidate: candidate.toJSON() });
  const add = (track: MediaStreamTrack): void => {
    const transceiver = connection.addTransceiver(track);
    const codecs = RTCRtpReceiver.getCapabilities(track.kind)?.codecs ?? [];
    // Firefox 153 then offers feedback lines of codecs that it leaves out, which Chromium refuses; VP8 comes first there anyway.
    if (!navigator.userAgent.includes('Firefox'))
      transceiver.setCodecPreferences(codecs.filter(({ mimeType }) => /opus|vp8/i.test(mimeType)));
    seal(transceiver, peer, track.kind);
  };
  if (initiator) stream.getTracks().forEach(add);
  connection.ontrack = ({ track }) => {
    const element = play(track, onPicture);
    if (element instanceof HTMLVideoElement) videos.set(peer, element);
  };
  if (initiator) {
    void connection
      .setLocalDescription()
      .then(() => send({ type: 'description', description: connection.localDescription }));
  }
  return connection;
}

async function answer(socket: WebSocket, peer: number, description: RTCSessionDescriptionInit): Promise<void> {
  const connection = connections.get(peer) ?? connect(socket, peer, false, () => undefined);
  const isOffer = description.type === 'offer';
  if (isOffer) {
    // Senders of the transceivers that the offer makes take our tracks and transforms in the task that makes them.
    connection.onsignalingstatechange = () => {
      if (connection.signalingState !== 'have-remote-offer') return;
      for (const transceiver of connection.getTransceivers()) {
        const media = transceiver.receiver.track.kind;
        transceiver.direction = 'sendrecv';
        seal(transceiver, peer, media);
        void transceiver.sender.replaceTrack(stream.getTracks().find(({ kind }) => kind === media) ?? null);
      }
    };
  }
  await connection.setRemoteDescription(description);
  if (!isOffer) return;
  await connection.setLocalDescription();
  socket.send(JSON.stringify({ to: peer, type: 'description', description: connection.localDescription }));
}

globalThis.bareCall = {
  own: -1,
  async join({ hub, seal }) {
    stream = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
    const mirror = document.querySelector('video')!;
    mirror.srcObject = stream;
    await mirror.play();
    const from = performance.now();
    const socket = new WebSocket(hub);
    const first: number[] = [];
    return new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error('the others were not seen within 30 s')), 30_000);
      let queue = Promise.resolve();
      socket.onmessage = ({ data }: MessageEvent<string>) => {
        const message = JSON.parse(data) as Message;
        queue = queue.then(async () => {
          if (message.type === 'welcome') {
            bareCall.own = message.own;
            if (seal) worker = await startWorker(message.own);
            const done = (): void => {
              first.push(performance.now() - from);
              if (first.length === message.others.length) resolve(first);
            };
            for (const other of message.others) connect(socket, other, true, done);
            if (message.others.length === 0) resolve(first);
          } else if (message.type === 'description') await answer(socket, message.from, message.description);
          else await connections.get(message.from)?.addIceCandidate(message.candidate);
        });
      };
    });
  },
  videoOf: (peer) => videos.get(peer),
  counts: () => [...counts.values()],
};
