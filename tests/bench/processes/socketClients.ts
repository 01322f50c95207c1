/**
 * Thousands of clients in a process of their own: meetings of ten, joined as the protocol says, or rooms of the plain relay.
 *
 * Orders come from the parent: `connect`, then any number of `talk`.
 */
import { WebSocket } from 'ws';
import type { PeerId } from '../../../signal/protocol/ids.ts';
import { commitParams, create, join } from '../../signal/client.ts';
import { TestMeeting, newGroupId, randomText } from '../../signal/keys.ts';

export type Order =
  | { do: 'connect'; side: 'parley' | 'plain'; url: string; rooms: number }
  | { do: 'talk'; perSecond: number; seconds: number };

export interface Talked {
  sent: number;
  delivered: number;
  /** Milliseconds from sending to each delivery, sorted. */
  latencies: number[];
}

const ROOM = 10;
/** Base64url: what a sealed heartbeat with a few fields takes. */
const BODY_BYTES = 300;

const rooms: WebSocket[][] = [];
let send: (socket: WebSocket, body: string) => void;
let latencies: number[] = [];
let requestId = 1000;

/** The first 8 bytes of a body say when it was sent; clocks are the same within this process. */
function bodyNow(): string {
  const body = Buffer.alloc(BODY_BYTES, 7);
  body.writeDoubleBE(performance.now());
  return body.toString('base64url');
}

function hear(body: string): void {
  latencies.push(performance.now() - Buffer.from(body.slice(0, 12), 'base64url').readDoubleBE());
}

async function parleyRoom(url: string): Promise<WebSocket[]> {
  const meeting = new TestMeeting();
  await create(url, meeting);
  const groupId = newGroupId();
  const people = await Promise.all(Array.from({ length: ROOM }, () => join(url, meeting)));
  const [first, ...others] = people;
  await first!.client.request('group.create', { groupId });
  await Promise.all(
    others.map(({ client }) =>
      client.request('group.requestAdd', { groupId, keyPackage: randomText(2000), admission: randomText(141) }),
    ),
  );
  const added = others.map(({ peer }): PeerId => peer);
  await first!.client.request('group.commit', commitParams(groupId, 0, { added }));
  return people.map(({ client }) => {
    const { socket } = client;
    socket.removeAllListeners('message');
    socket.on('message', (data) => {
      const answer = JSON.parse(String(data)) as { event?: { type: string; body?: string } };
      if (answer.event?.type === 'message') hear(answer.event.body!);
    });
    return socket;
  });
}

async function plainRoom(url: string, name: number): Promise<WebSocket[]> {
  return Promise.all(
    Array.from({ length: ROOM }, async () => {
      const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/${name}`, { perMessageDeflate: false });
      await new Promise((resolve, reject) => {
        socket.once('open', resolve);
        socket.once('error', reject);
      });
      socket.on('message', (data) => hear((JSON.parse(String(data)) as { params: { body: string } }).params.body));
      return socket;
    }),
  );
}

async function obey(order: Order): Promise<unknown> {
  if (order.do === 'connect') {
    for (let i = 0; i < order.rooms; i++)
      rooms.push(order.side === 'parley' ? await parleyRoom(order.url) : await plainRoom(order.url, rooms.length));
    send = (socket, body) =>
      socket.send(
        JSON.stringify({ id: requestId++, name: 'message.send', params: { to: null, body, transient: true } }),
      );
    return { connected: rooms.flat().filter(({ readyState }) => readyState === WebSocket.OPEN).length };
  }
  latencies = [];
  let sent = 0;
  const start = performance.now();
  while (performance.now() - start < order.seconds * 1000) {
    const due = Math.floor(((performance.now() - start) / 1000) * order.perSecond);
    for (; sent < due; sent++) {
      // Another room and another person each time: nobody meets their rate limit.
      const room = rooms[(sent * 7919) % rooms.length]!;
      send(room[Math.floor(sent / rooms.length) % ROOM]!, bodyNow());
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  for (let i = 0; i < 100 && latencies.length < sent * (ROOM - 1); i++)
    await new Promise((resolve) => setTimeout(resolve, 50));
  return { sent, delivered: latencies.length, latencies: latencies.sort((a, b) => a - b) } satisfies Talked;
}

process.on('message', (order: Order) => {
  obey(order).then(
    (result) => process.send!({ result }),
    (error: unknown) => process.send!({ error: String(error) }),
  );
});
