/** Requests to signal that go by way of the page: the worker has no socket. */
import type { ErrorCode } from '../../signal/protocol/errors.ts';
import type { Params, RequestName, Result } from '../../signal/protocol/requests.ts';
import type { Calls, Notice } from './messages.ts';
import { RequestFailed } from './session/ports.ts';

interface Waiting {
  resolve: (result: unknown) => void;
  reject: (error: RequestFailed) => void;
}

export class Requests {
  readonly #emit: (notice: Notice) => void;
  readonly #waiting = new Map<number, Waiting>();
  #next = 1;

  constructor(emit: (notice: Notice) => void) {
    this.#emit = emit;
  }

  /** @throws RequestFailed */
  send<N extends RequestName>(name: N, params: Params<N>): Promise<Result<N>> {
    const request = this.#next++;
    return new Promise((resolve, reject) => {
      // The page has parsed the answer by the schema of this very request.
      this.#waiting.set(request, { resolve: resolve as (result: unknown) => void, reject });
      this.#emit({ type: 'request', request, name, params });
    });
  }

  settled(settled: Calls['request.settled']['in']): void {
    const waiting = this.#waiting.get(settled.request);
    this.#waiting.delete(settled.request);
    if ('error' in settled) waiting?.reject(failureOf(settled.error));
    else waiting?.resolve(settled.result);
  }

  /** The session that asked is over: nobody waits any more. */
  forget(): void {
    this.#waiting.clear();
  }
}

function failureOf(error: { code: ErrorCode | 'offline'; retryAfterMs?: number }): RequestFailed {
  return new RequestFailed(error.code, error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs });
}
