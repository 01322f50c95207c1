/** The server could not be reached, or the connection broke before its answer: the request may or may not have been done. */
export class OfflineError extends Error {
  readonly code = 'offline';
  constructor() {
    super('no connection to the server');
    this.name = 'OfflineError';
  }
}
