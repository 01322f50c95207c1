/** What the worker cannot do, with a code that the page knows. */
import type { CallErrorCode } from './messages.ts';

/** A call that cannot be answered. The detail is for developers, and holds no secret. */
export class Refused extends Error {
  readonly code: CallErrorCode;

  constructor(code: CallErrorCode, detail: string) {
    super(detail);
    this.name = 'Refused';
    this.code = code;
  }
}
