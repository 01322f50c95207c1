/** Serves the bare call (pages/bareCall.ts) and its hub. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { servePage } from '../support/pageServer.ts';
import { bundle } from './bundle.ts';

export interface BareSite {
  readonly origin: string;
  readonly hub: string;
  /** Forgets who is there, so that the next to come is the first. */
  reset(): void;
  close(): Promise<void>;
}

export async function serveBareCall(): Promise<BareSite> {
  const [call, seal] = await Promise.all([
    bundle(new URL('pages/bareCall.ts', import.meta.url)),
    bundle(new URL('pages/bareSeal.worker.ts', import.meta.url)),
  ]);
  const site = await servePage({
    '/': '<!doctype html><html lang="en"><title>Bare call</title><body><video muted autoplay></video><script type="module" src="/call.js"></script></body></html>',
    '/call.js': call,
    '/seal.js': seal,
  });
  const http = createServer();
  const sockets = new WebSocketServer({ server: http });
  let present = new Map<number, WebSocket>();
  sockets.on('connection', (socket) => {
    const here = present;
    const own = here.size;
    socket.send(JSON.stringify({ type: 'welcome', own, others: [...here.keys()] }));
    here.set(own, socket);
    socket.on('message', (data) => {
      const message = JSON.parse(String(data)) as { to: number };
      here.get(message.to)?.send(JSON.stringify({ ...message, from: own }));
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    origin: site.origin,
    hub: `ws://127.0.0.1:${(http.address() as AddressInfo).port}`,
    reset: () => void (present = new Map()),
    async close() {
      for (const socket of sockets.clients) socket.terminate();
      http.close();
      await site.close();
    },
  };
}
