/** Whether a page may open a socket here. RFC 6455 §10.2: the browser says which page asks, and cannot be made to lie by it. */
import type { IncomingHttpHeaders } from 'node:http';

/** @param origins such as https://meet.example.org, besides the host that was asked itself */
export function isOriginAllowed(headers: IncomingHttpHeaders, origins: readonly string[]): boolean {
  const { origin, host } = headers;
  // No browser leaves it out, and whoever is no browser could write what it likes.
  if (origin === undefined) return true;
  if (origins.includes(origin)) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}
