/** Every error a server may answer with, and what follows from it. The one table for HTTP status, socket close code and retry. */

interface ErrorRule {
  /** HTTP status where it answers a request over HTTP. */
  status: number;
  /** WebSocket close code (RFC 6455 §7.4.2) where the connection ends over it; absent where it goes on. */
  close?: number;
  /** What a client may do: nothing, the same again later, or something first. */
  retry: 'never' | 'later' | 'afterwards';
  /** For people who read logs and traces. What users read is the client's. */
  meaning: string;
}

export const errors = {
  badRequest: { status: 400, retry: 'never', meaning: 'the message does not fit its schema' },
  malformed: { status: 400, close: 4400, retry: 'never', meaning: 'not a message of this protocol' },
  unsupported: { status: 400, retry: 'never', meaning: 'unknown request or protocol version' },
  tooLarge: { status: 413, close: 1009, retry: 'never', meaning: 'beyond the size limit' },
  tooMany: { status: 429, retry: 'later', meaning: 'rate or count limit; see retryAfterMs' },
  flooding: { status: 429, close: 4429, retry: 'later', meaning: 'kept sending beyond the limits' },
  outOfOrder: { status: 409, retry: 'never', meaning: 'this request is not for the present phase' },
  meetingNotFound: { status: 404, retry: 'never', meaning: 'no such meeting, or it has expired' },
  meetingExists: { status: 409, retry: 'never', meaning: 'this meeting id is taken' },
  meetingEnded: { status: 410, close: 4410, retry: 'never', meaning: 'the host has ended the meeting' },
  meetingLocked: { status: 423, retry: 'later', meaning: 'nobody new comes in' },
  meetingFull: { status: 409, retry: 'later', meaning: 'the capacity is reached' },
  linkRefused: { status: 403, retry: 'never', meaning: 'the link key is not the current one: wrong or old link' },
  accessRefused: { status: 403, retry: 'afterwards', meaning: 'the link is right, the password is not' },
  proofRefused: { status: 403, retry: 'never', meaning: 'a signature does not hold' },
  notAllowed: { status: 403, retry: 'never', meaning: 'only a host may' },
  peerTaken: { status: 409, retry: 'never', meaning: 'a peer with this id is connected' },
  peerUnknown: { status: 404, retry: 'never', meaning: 'no such peer is connected' },
  removed: { status: 403, close: 4403, retry: 'never', meaning: 'a host removed this peer' },
  replaced: { status: 409, close: 4409, retry: 'never', meaning: 'the same peer connected again elsewhere' },
  resumeRefused: { status: 409, retry: 'afterwards', meaning: 'too late, or unknown here: join again' },
  staleEpoch: { status: 409, retry: 'afterwards', meaning: 'another commit was ordered first: rebase' },
  groupUnknown: { status: 404, retry: 'afterwards', meaning: 'not the live group of this meeting' },
  commitBarred: { status: 403, retry: 'later', meaning: 'may not commit now: too soon, or lost the right' },
  draining: { status: 503, close: 1012, retry: 'later', meaning: 'this server is stopping: connect again' },
  internal: { status: 500, close: 1011, retry: 'later', meaning: 'our fault' },
} as const satisfies Record<string, ErrorRule>;

export type ErrorCode = keyof typeof errors;

export const errorCodes = Object.keys(errors) as [ErrorCode, ...ErrorCode[]];

/** Thrown by whoever refuses; carried to the other side by `wire.ts` or problem+json. */
export class ProtocolError extends Error {
  readonly code: ErrorCode;
  /** When the same may be tried again, in milliseconds from now. */
  readonly retryAfterMs: number | undefined;
  /** With `staleEpoch`: the epoch that the group is in. */
  readonly epoch: number | undefined;

  constructor(code: ErrorCode, detail?: string, more: { retryAfterMs?: number; epoch?: number; cause?: unknown } = {}) {
    super(detail ?? errors[code].meaning, { cause: more.cause });
    this.name = 'ProtocolError';
    this.code = code;
    this.retryAfterMs = more.retryAfterMs;
    this.epoch = more.epoch;
  }
}
