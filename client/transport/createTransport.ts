/** The transport of a meeting: mesh and relay, of which the second is loaded when it is needed. */
import { createHandover, type HandoverOptions } from './handover.ts';
import { createMesh } from './mesh.ts';
import type { MediaTransport } from './transport.ts';

export function createTransport(options: Omit<HandoverOptions, 'ways'>): MediaTransport {
  const ways = {
    mesh: createMesh,
    relay: async () => (await import('./relay.ts')).createRelay,
  };
  return createHandover({ ...options, ways });
}
