/**
 * A call through Janus's video room: one RTCPeerConnection that sends, and one that receives what is there when we come or arrives at once.
 *
 * VP8 and Opus as in the product, the same devices. Its WebSocket, session and handles are there before joining, as an application with
 * a lobby would have them.
 */
import { play } from './play.ts';

export interface JanusCall {
  /** Opens the devices and what Janus needs before anybody is in a room. */
  prepare(options: { url: string; room: number }): Promise<void>;
  /** Milliseconds from here to the first presented picture of each of the `others`. */
  join(others: number): Promise<number[]>;
}

declare global {
  var janusCall: JanusCall;
}

interface Message {
  janus: string;
  transaction?: string;
  sender?: number;
  data?: { id: number };
  error?: { reason: string };
  plugindata?: { data: { videoroom: string; publishers?: { id: number }[]; error?: string } };
  jsep?: RTCSessionDescriptionInit;
}

let socket: WebSocket;
let session = 0;
let room = 0;
let publisher = 0;
/** Made before it is known whom to receive; those who come later get one of their own. */
let spare: Promise<number>;
let stream: MediaStream;
let nextTransaction = 1;
const waiting = new Map<string, (message: Message) => void>();
/** What Janus says of a handle by itself. */
const events = new Map<number, (message: Message) => void>();
let onPicture: () => void = () => undefined;

function open(url: string): Promise<void> {
  socket = new WebSocket(url, 'janus-protocol');
  socket.onmessage = ({ data }: MessageEvent<string>) => {
    const message = JSON.parse(data) as Message;
    // An acknowledgement of what is answered later by an event.
    if (message.janus === 'ack') return;
    const problem = message.error?.reason ?? message.plugindata?.data.error;
    if (problem !== undefined) throw new Error(`Janus: ${problem}`);
    const answered = message.transaction === undefined ? undefined : waiting.get(message.transaction);
    if (answered !== undefined) {
      waiting.delete(message.transaction!);
      answered(message);
    } else if (message.janus === 'event') events.get(message.sender!)?.(message);
  };
  return new Promise((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error('Janus is not there'));
  });
}

function request(message: object): Promise<Message> {
  const transaction = String(nextTransaction++);
  socket.send(JSON.stringify({ ...message, transaction, ...(session > 0 ? { session_id: session } : {}) }));
  return new Promise((resolve) => waiting.set(transaction, resolve));
}

function tell(handle: number, body: object, jsep?: RTCSessionDescriptionInit | null): Promise<Message> {
  return request({ janus: 'message', handle_id: handle, body, ...(jsep ? { jsep } : {}) });
}

async function attach(): Promise<number> {
  return (await request({ janus: 'attach', plugin: 'janus.plugin.videoroom' })).data!.id;
}

/** Candidates go as they are found; nobody waits for the acknowledgement. */
function connect(handle: number): RTCPeerConnection {
  const connection = new RTCPeerConnection();
  connection.onicecandidate = ({ candidate }) =>
    void request({ janus: 'trickle', handle_id: handle, candidate: candidate?.toJSON() ?? { completed: true } });
  return connection;
}

async function publish(): Promise<void> {
  const connection = connect(publisher);
  for (const track of stream.getTracks()) {
    const transceiver = connection.addTransceiver(track, { direction: 'sendonly' });
    const codecs = RTCRtpSender.getCapabilities(track.kind)?.codecs ?? [];
    transceiver.setCodecPreferences(codecs.filter(({ mimeType }) => /opus|vp8/i.test(mimeType)));
  }
  await connection.setLocalDescription();
  const answer = await tell(publisher, { request: 'publish', audio: true, video: true }, connection.localDescription);
  await connection.setRemoteDescription(answer.jsep!);
}

async function subscribe(publishers: readonly { id: number }[], handle: number): Promise<void> {
  const connection = connect(handle);
  connection.ontrack = ({ track }) => void play(track, () => onPicture());
  const streams = publishers.map(({ id }) => ({ feed: id }));
  const offer = await tell(handle, { request: 'join', ptype: 'subscriber', room, streams });
  await connection.setRemoteDescription(offer.jsep!);
  await connection.setLocalDescription();
  await tell(handle, { request: 'start' }, connection.localDescription);
}

globalThis.janusCall = {
  async prepare(options) {
    ({ room } = options);
    stream = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
    const mirror = document.querySelector('video')!;
    mirror.srcObject = stream;
    await mirror.play();
    await open(options.url);
    session = (await request({ janus: 'create' })).data!.id;
    publisher = await attach();
    spare = attach();
    await spare;
  },
  async join(others) {
    const from = performance.now();
    const first: number[] = [];
    const seen = new Promise<void>((resolve, reject) => {
      setTimeout(() => reject(new Error(`${others} others were not seen within 30 s`)), 30_000);
      onPicture = () => {
        first.push(performance.now() - from);
        if (first.length === others) resolve();
      };
      if (others === 0) resolve();
    });
    events.set(publisher, ({ plugindata }) => {
      const came = plugindata?.data.publishers ?? [];
      if (came.length > 0) void attach().then((handle) => subscribe(came, handle));
    });
    const joined = await tell(publisher, { request: 'join', ptype: 'publisher', room });
    const present = joined.plugindata!.data.publishers ?? [];
    await Promise.all([publish(), present.length > 0 ? subscribe(present, await spare) : null]);
    await seen;
    return first;
  },
};
