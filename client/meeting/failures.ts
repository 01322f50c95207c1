/**
 * What follows from a failure, in one table. Pure.
 */
import type { ErrorCode } from '../../signal/protocol/errors.ts';
import type { Failure } from './state.ts';
import type { ClosedReason } from './view.ts';

/** Failures that end the meeting here; all others are tried again. */
const FINAL: Partial<Record<ErrorCode, ClosedReason>> = {
  meetingNotFound: 'notFound',
  meetingEnded: 'ended',
  meetingLocked: 'locked',
  meetingFull: 'full',
  linkRefused: 'oldLink',
  removed: 'removed',
  replaced: 'elsewhere',
  proofRefused: 'internal',
  unsupported: 'internal',
  badRequest: 'internal',
  notAllowed: 'internal',
  malformed: 'serverLies',
};

/** Close codes (signal/protocol/errors.ts) after which coming back is of no use. */
const FINAL_CLOSE: Readonly<Record<number, ClosedReason>> = { 4403: 'removed', 4409: 'elsewhere', 4410: 'ended' };

/** @returns null if the same may be tried again */
export function closedBy(failure: Failure): ClosedReason | null {
  if (failure.from === 'network') return null;
  if (failure.from === 'server') return FINAL[failure.code] ?? null;
  if (failure.code === 'forged') return 'serverLies';
  return failure.code === 'badPassword' ? null : 'internal';
}

export function closedByCode(code: number): ClosedReason | null {
  return FINAL_CLOSE[code] ?? null;
}

/** True for an answer to a wrong password. */
export function isWrongPassword(failure: Failure): boolean {
  return (
    (failure.from === 'worker' && failure.code === 'badPassword') ||
    (failure.from === 'server' && failure.code === 'accessRefused')
  );
}

/** What people may quote; never a secret. */
export function codeOf(failure: Failure): string {
  return failure.from === 'network' ? 'offline' : `${failure.from}.${failure.code}`;
}
