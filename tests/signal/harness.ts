/** Signal without the rest of the app, for tests that turn its clockwork by hand: `service.tick()`, `service.sweep()`. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileBlobs } from '../../signal/blobs/filesystem.ts';
import { LocalBus } from '../../signal/bus/local.ts';
import { ENDED_TOPIC, MeetingService } from '../../signal/meeting/service.ts';
import { openDatabase } from '../../signal/store/open.ts';
import type { Store } from '../../signal/store/store.ts';
import { Attempts } from '../../signal/ws/attempts.ts';
import { ChatDoor } from '../../signal/ws/chatDoor.ts';
import { Gateway } from '../../signal/ws/gateway.ts';
import { chat } from '../../signal/ws/handlers/chat.ts';
import { entry } from '../../signal/ws/handlers/entry.ts';
import { group } from '../../signal/ws/handlers/group.ts';
import { host } from '../../signal/ws/handlers/host.ts';
import { messages } from '../../signal/ws/handlers/messages.ts';
import { relay } from '../../signal/ws/handlers/relay.ts';

export interface Harness {
  readonly url: string;
  readonly service: MeetingService;
  readonly store: Store;
  close(): Promise<void>;
}

/** @param file  of the database; `:memory:` for none */
export async function startSignal({
  now,
  file = ':memory:',
  chatQuota = 64 * 1024 * 1024,
}: {
  now: () => number;
  file?: string;
  chatQuota?: number;
}): Promise<Harness> {
  const onError = (error: unknown) => {
    throw error;
  };
  const store = await openDatabase(file);
  const bus = new LocalBus(onError);
  const limits = { meetingTtlMs: 400 * 86_400_000, maxCapacity: 100, chatQuota, filesQuota: 1024 * 1024 * 1024 };
  const folder = await mkdtemp(join(tmpdir(), 'parley-blobs-'));
  const blobs = await FileBlobs.open(folder);
  const service = new MeetingService({ store, blobs, bus, relay: null, ...limits, now, onError });
  const handlers = { ...entry, ...group, ...messages, ...relay, ...host, ...chat };
  const ice = { stunUrls: [], turn: null };
  const gateway = new Gateway({
    context: { service, attempts: new Attempts(), handlers, ice, now, onError },
    // Whoever wants another address says so in X-Forwarded-For.
    proxies: 1,
    connections: 100,
    connectionsPerAddress: 100,
    origins: [],
  });
  await bus.subscribe(ENDED_TOPIC, (meeting) => gateway.endMeeting(meeting));
  const chatDoor = new ChatDoor({ tickets: service.chat.tickets, now, origins: [] });
  const server = createServer().on('upgrade', (request, socket, head) => {
    (ChatDoor.isFor(request) ? chatDoor : gateway).upgrade(request, socket, head);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    service,
    store,
    async close() {
      chatDoor.close();
      await gateway.close();
      server.close();
      await store.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
