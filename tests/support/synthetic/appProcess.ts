/** The whole server with the built client in a process of its own (`--expose-gc`), which can say what it still holds. */
import { observer, type types } from 'mediasoup';
import { startApp, type StartedApp } from '../startApp.ts';
import { startLocalRelay } from '../../relay/support.ts';
import { clientFolder } from '../servedApp.ts';
import { obey } from './orders.ts';

export interface Held {
  /** After a collection of garbage. */
  heapBytes: number;
  connections: number;
  meetings: number;
  /** Of the relay. */
  rooms: number;
  peers: number;
  workers: number[];
  /** By the workers' own count. */
  routers: number;
}

const workersOfRelay = new Set<types.Worker>();
observer.on('newworker', (worker) => void workersOfRelay.add(worker));

let app: StartedApp;
let relay: Awaited<ReturnType<typeof startLocalRelay>>;

const handlers = {
  start: async ({ workers }: { workers: number }): Promise<string> => {
    relay = await startLocalRelay(workers);
    app = await startApp({ PARLEY_CLIENT: clientFolder() }, { relay });
    return app.url;
  },
  held: async (_: object): Promise<Held> => {
    for (let i = 0; i < 4; i++) {
      globalThis.gc!();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const { heapUsed, external } = process.memoryUsage();
    const { rooms, workers } = relay.status();
    const dumps = await Promise.all([...workersOfRelay].filter(({ closed }) => !closed).map((worker) => worker.dump()));
    const routers = dumps.reduce((sum, { routerIds }) => sum + routerIds.length, 0);
    return { heapBytes: heapUsed + external, ...app.app.counts(), rooms, peers: relay.peers, workers, routers };
  },
  stop: async (_: object): Promise<void> => app.close(),
};

export type AppOrders = typeof handlers;

obey(handlers);
