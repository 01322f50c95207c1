/** What hosts order. Who may is told by the host key's signature alone, so any joined peer may hand an order in. */
import { command, rotate, setHostState } from '../../meeting/hosting.ts';
import type { Handlers } from '../session.ts';

export const host: Pick<Handlers, 'host.state' | 'host.rotate' | 'host.command'> = {
  async 'host.state'(session, params, { service }) {
    const { meeting, peer } = session.in('joined');
    await setHostState(service, meeting, peer, params.state);
    return {};
  },

  async 'host.rotate'(session, params, { service }) {
    const { meeting, peer } = session.in('joined');
    await rotate(service, meeting, peer, params);
    return {};
  },

  async 'host.command'(session, params, { service }) {
    await command(service, session.in('joined').meeting, params.command);
    return {};
  },
};
