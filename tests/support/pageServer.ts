/** Serves a bare page and the files given, on loopback: for tests of the browser itself, and for what the product is measured against. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname } from 'node:path';

const TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript' };

/** @param files path (with its slash) → content; '/' is a page with one <video> unless given. */
export async function servePage(
  files: Record<string, string> = {},
): Promise<{ origin: string; close: () => Promise<void> }> {
  const all: Record<string, string> = {
    '/': '<!doctype html><html lang="en"><title>Test page</title><body><video muted autoplay></video></body></html>',
    ...files,
  };
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    const content = all[path];
    // Cross-origin isolation gives timers of 5 µs instead of 100 (docs/benchmarks.md).
    response.setHeader('cross-origin-opener-policy', 'same-origin');
    response.setHeader('cross-origin-embedder-policy', 'require-corp');
    response.setHeader('content-type', TYPES[extname(path) || '.html'] ?? 'application/octet-stream');
    if (content === undefined) response.statusCode = 404;
    response.end(content ?? '');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
