/** Every error a server may answer with, and what follows from it. The one table for HTTP status, socket close code and retry. */

interface ErrorRule {
  /** HTTP status where it answers a request over HTTP. */
  status: number;
  /** WebSocket close code (RFC 6455 §7.4.2) where the connection ends over it; absent where it goes on. */
  close?: number;
  /** What a client may do: nothing, the same again later, or something first. */
  retry: 'never' | 'later' | 'afterwards';
}

export const errors = {
  /** The message does not fit its schema. */
  badRequest: { status: 400, retry: 'never' },
  /** Not a message of this protocol. */
  malformed: { status: 400, close: 4400, retry: 'never' },
  /** Unknown request or protocol version. */
  unsupported: { status: 400, retry: 'never' },
  /** Beyond the size limit. */
  tooLarge: { status: 413, close: 1009, retry: 'never' },
  /** Rate or count limit; see retryAfterMs. */
  tooMany: { status: 429, retry: 'later' },
  /** Kept sending beyond the limits. */
  flooding: { status: 429, close: 4429, retry: 'later' },
  /** This request is not for the present phase. */
  outOfOrder: { status: 409, retry: 'never' },
  /** No such meeting, or it has expired. */
  meetingNotFound: { status: 404, retry: 'never' },
  /** This meeting id is taken. */
  meetingExists: { status: 409, retry: 'never' },
  /** The host has ended the meeting. */
  meetingEnded: { status: 410, close: 4410, retry: 'never' },
  /** Nobody new comes in. */
  meetingLocked: { status: 423, retry: 'later' },
  /** The capacity is reached. */
  meetingFull: { status: 409, retry: 'later' },
  /** The link key is not the current one: wrong or old link. */
  linkRefused: { status: 403, retry: 'never' },
  /** The link is right, the password is not. */
  accessRefused: { status: 403, retry: 'afterwards' },
  /** A signature does not hold. */
  proofRefused: { status: 403, retry: 'never' },
  /** Only a host may. */
  notAllowed: { status: 403, retry: 'never' },
  /** No such peer is connected. */
  peerUnknown: { status: 404, retry: 'never' },
  /** A host removed this peer. */
  removed: { status: 403, close: 4403, retry: 'never' },
  /** The same peer connected again elsewhere. */
  replaced: { status: 409, close: 4409, retry: 'never' },
  /** Too late, or unknown here: join again. */
  resumeRefused: { status: 409, retry: 'afterwards' },
  /** Another commit was ordered first: rebase. */
  staleEpoch: { status: 409, retry: 'afterwards' },
  /** Not the live group of this meeting. */
  groupUnknown: { status: 404, retry: 'afterwards' },
  /** May not commit now: too soon, or lost the right. */
  commitBarred: { status: 403, retry: 'later' },
  /** There is no relay, or none that works just now: small meetings go on in their mesh. */
  relayUnavailable: { status: 503, retry: 'later' },
  /** No relay has room for one more. */
  relayFull: { status: 503, retry: 'later' },
  /** This stream has ended, or is none of this meeting. */
  streamUnknown: { status: 404, retry: 'never' },
  /** No such item, snapshot, file or token in this chat. */
  chatUnknown: { status: 404, retry: 'never' },
  /** No such pass, or the connection that asked for it has ended: ask for another. */
  ticketRefused: { status: 401, retry: 'afterwards' },
  /** The meeting's chat, or this author's part of it, has no more room. */
  chatFull: { status: 507, retry: 'afterwards' },
  /** This server is stopping: connect again. */
  draining: { status: 503, close: 1012, retry: 'later' },
  /** Our fault. */
  internal: { status: 500, close: 1011, retry: 'later' },
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

  /** @param detail for people who read logs and traces, the code itself if nothing is to be added; what users read is the client's */
  constructor(code: ErrorCode, detail?: string, more: { retryAfterMs?: number; epoch?: number; cause?: unknown } = {}) {
    super(detail ?? code, { cause: more.cause });
    this.name = 'ProtocolError';
    this.code = code;
    this.retryAfterMs = more.retryAfterMs;
    this.epoch = more.epoch;
  }
}
