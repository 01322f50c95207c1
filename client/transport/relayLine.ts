/** The socket, as far as the ways of media need it. */
import type { mediaRequests } from '../../signal/protocol/mediaRequests.ts';
import type { Params, RequestName, Result } from '../../signal/protocol/requests.ts';
import type { ResultSchema } from '../net/rpc.ts';

export interface RelayLine {
  /** @throws ProtocolError as the server answered · OfflineError while the socket is away */
  request<N extends RequestName>(name: N, params: Params<N>, schema?: ResultSchema<N>): Promise<Result<N>>;
}

/** Requests about the relay alone. */
export type AskRelay = <N extends keyof typeof mediaRequests>(name: N, params: Params<N>) => Promise<Result<N>>;
