/** The plain relay that our server is measured against: rooms by path, every message goes to the others in its room. Nothing is checked. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';

const http = createServer();
const sockets = new WebSocketServer({ server: http, perMessageDeflate: false });
const rooms = new Map<string, Set<WebSocket>>();

sockets.on('connection', (socket, request) => {
  const name = request.url ?? '/';
  const room = rooms.get(name) ?? new Set<WebSocket>();
  rooms.set(name, room);
  room.add(socket);
  socket.on('message', (data) => {
    // Parsed and written again, as any relay has to that reads what it passes on.
    const text = JSON.stringify(JSON.parse(String(data)));
    for (const other of room) if (other !== socket) other.send(text);
  });
  socket.on('close', () => room.delete(socket));
});

http.listen(0, '127.0.0.1', () => process.send?.({ port: (http.address() as AddressInfo).port }));
