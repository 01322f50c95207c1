/**
 * The one error class of crypto/.
 *
 * A code from a closed union says what went wrong for the caller; it never says *why* a tag or signature failed, so that
 * an error cannot be used as an oracle. Messages hold names and sizes, never secrets or plaintext.
 */

/**
 * - `usage`       our own code called with impossible arguments (wrong key length, unknown suite)
 * - `malformed`   bytes or text from outside that do not parse
 * - `forged`      a tag, signature or binding that does not hold
 * - `unknownKey`  nothing installed under that key id or epoch
 * - `replayed`    authentic, but seen before or too old to tell
 * - `exhausted`   a key has reached its limit and must be replaced
 */
export type CryptoErrorCode = 'usage' | 'malformed' | 'forged' | 'unknownKey' | 'replayed' | 'exhausted';

export class CryptoError extends Error {
  readonly code: CryptoErrorCode;

  constructor(code: CryptoErrorCode, message: string = code, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CryptoError';
    this.code = code;
  }
}
