/**
 * Stands in for `decode-named-character-reference` in the build (vite.config.ts). Its version for browsers sets innerHTML, which our
 * content security policy forbids, and the other brings a table of 2,000 names. People who write &amp; in a chat mean just that.
 */
export const decodeNamedCharacterReference = (): false => false;
