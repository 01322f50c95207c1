/** The transport of a meeting: mesh and relay, of which the second is loaded when it is needed. */
import { createHandover, type HandoverOptions } from './handover.ts';
import { createMesh } from './mesh.ts';
import type { MediaTransport } from './transport.ts';

const loadRelay = async () => (await import('./relay.ts')).createRelay;

export function createTransport(options: Omit<HandoverOptions, 'ways'>): MediaTransport {
  return createHandover({ ...options, ways: { mesh: createMesh, relay: loadRelay } });
}

/** Fetches the relay's code ahead of need. */
export function preloadRelay(): void {
  loadRelay().catch(() => undefined);
}
