/**
 * Composition root: builds store, bus, service, routes and gateway once, from a Config.
 *
 * Whoever creates an app closes it. `close` tells everybody to connect again, and takes less than five seconds.
 */
import Fastify, { LogController } from 'fastify';
import { randomInt } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { Server as HttpsServer } from 'node:https';
import { join } from 'node:path';
import { FileBlobs } from './blobs/filesystem.ts';
import { LocalBus } from './bus/local.ts';
import { Certificate, LOOK_MS } from './certificate.ts';
import type { Config } from './config.ts';
import { serveBlobs } from './http/blobs.ts';
import { serveHealth } from './http/health.ts';
import { serveMeetings } from './http/meetings.ts';
import { frame } from './http/router.ts';
import { serveClient } from './http/static.ts';
import { ENDED_TOPIC, MeetingService } from './meeting/service.ts';
import type { RelayPort } from './protocol/relayControl.ts';
import { openStore } from './store/open.ts';
import { Attempts } from './ws/attempts.ts';
import type { Context } from './ws/session.ts';
import { ChatDoor } from './ws/chatDoor.ts';
import { Gateway } from './ws/gateway.ts';
import { chat } from './ws/handlers/chat.ts';
import { entry } from './ws/handlers/entry.ts';
import { group } from './ws/handlers/group.ts';
import { host } from './ws/handlers/host.ts';
import { messages } from './ws/handlers/messages.ts';
import { relay as relayHandlers } from './ws/handlers/relay.ts';
import { RelayDoor } from './relay/door.ts';
import { openRelays } from './relay/open.ts';

const TICK_MS = 1000;
const SWEEP_MS = 3_600_000;
/** Reconnecting clients spread over this much. */
const RETRY_SPREAD_MS = 2000;

export interface App {
  /** Starts listening. @returns the port @throws with `code` as node:net says, such as EADDRINUSE */
  listen(): Promise<number>;
  /** Meetings with somebody in them, and connections. */
  counts(): { meetings: number; connections: number };
  /** Takes up certificate and key as they are now in their files. It looks by itself, too, every minute. */
  renewCertificate(): void;
  /** Idempotent. */
  close(): Promise<void>;
}

/** What tests put in place of what the app would have. */
export interface Given {
  /** Milliseconds since 1970. */
  now?: (() => number) | undefined;
  /** In place of the embedded one; the app closes it. */
  relay?: RelayPort | undefined;
  /** How long a meeting is small enough before it goes back from the relay to the mesh, milliseconds. */
  calmMs?: number | undefined;
}

/** @throws StoreError */
export async function createApp(config: Config, given: Given = {}): Promise<App> {
  const { now = Date.now, calmMs } = given;
  const store = await openStore(config.dataDir);
  const blobs = await FileBlobs.open(join(config.dataDir, 'blobs'));
  const app = Fastify({
    logger: config.logLevel === 'silent' ? false : { level: config.logLevel, stream: process.stderr },
    // router.ts logs less, and nothing of what a request holds.
    logController: new LogController({ disableRequestLogging: true }),
    requestTimeout: 30_000,
    bodyLimit: 64 * 1024,
    ...(config.tls ? { https: { cert: config.tls.cert, key: config.tls.key } } : {}),
  });
  const onError = (error: unknown, meeting?: string) => app.log.error({ err: error, meeting }, 'internal error');
  const bus = new LocalBus(onError);
  const { meetingTtlMs, maxCapacity, chatQuota, filesQuota, proxies } = config;
  const relays = openRelays(config, { error: onError, log: (words) => app.log.warn(words) }, given.relay);
  // Meetings that begin with the server find it.
  await relays?.looked;
  const relay = relays?.pool ?? null;
  const limits = { meetingTtlMs, maxCapacity, chatQuota, filesQuota };
  const service = new MeetingService({ store, blobs, bus, relay, calmMs, ...limits, now, onError });
  const handlers = { ...entry, ...group, ...messages, ...relayHandlers, ...host, ...chat };
  const context: Context = { service, attempts: new Attempts(), handlers, ice: config.ice, now, onError };
  const origins = [config.publicUrl, config.devOrigin].filter((origin) => origin !== null);
  const gateway = new Gateway({
    context,
    proxies,
    connections: config.connections,
    connectionsPerAddress: config.connectionsPerAddress,
    origins,
  });
  const chatDoor = new ChatDoor({ tickets: service.chat.tickets, now, origins });
  await bus.subscribe(ENDED_TOPIC, (meeting) => gateway.endMeeting(meeting));

  frame(app, config);
  const { clientDir, relayStatusFile } = config;
  serveHealth(app, { store, bus, clientDir, relay, relayFailure: () => relays?.failure ?? null, relayStatusFile });
  serveMeetings(app, { service, proxies, perHour: config.meetingsPerHour });
  serveBlobs(app, { blobs: service.blobs, passes: service.chat.passes, proxies, now, onError });
  await serveClient(app, config.clientDir);
  app.server.on('upgrade', (request, socket, head) => {
    if (relays?.door && RelayDoor.isFor(request)) relays.door.upgrade(request, socket, head);
    else if (ChatDoor.isFor(request)) chatDoor.upgrade(request, socket, head);
    else gateway.upgrade(request, socket, head);
  });

  const sweep = () => void service.sweep().catch(onError);
  const { tls, readTlsAgain } = config;
  const certificate =
    tls &&
    readTlsAgain &&
    new Certificate(tls, {
      read: readTlsAgain,
      // Made with `https`, it is one of these.
      use: (files) => (app.server as unknown as HttpsServer).setSecureContext(files),
      log: { info: (words) => app.log.info(words), warn: (words) => app.log.warn(words) },
    });
  const renewCertificate = () => certificate?.look();
  const timers = [
    setInterval(() => service.tick(), TICK_MS),
    setInterval(sweep, SWEEP_MS),
    setInterval(renewCertificate, LOOK_MS),
  ];
  sweep();

  let closing: Promise<void> | undefined;
  async function shut(): Promise<void> {
    timers.forEach(clearInterval);
    service.drain(() => 500 + randomInt(RETRY_SPREAD_MS));
    chatDoor.close();
    await gateway.close();
    await relay?.close();
    app.server.closeAllConnections();
    await app.close();
    await bus.close();
    await store.close();
  }
  return {
    async listen() {
      await app.listen({ host: config.host, port: config.port });
      return (app.server.address() as AddressInfo).port;
    },
    counts: () => ({ meetings: service.size, connections: gateway.connections }),
    renewCertificate,
    close: () => (closing ??= shut()),
  };
}
