/** The page of fixtures, built and served as the product is: same compiler, same content security policy, same browser. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import { inject } from 'vitest';

const root = join(import.meta.dirname, '../../..');

/** What the server sends with every page (docs/design.md, "The client's own honesty"). */
export const CSP =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data:; " +
  "media-src 'self' blob:; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; " +
  "require-trusted-types-for 'script'; trusted-types svelte-trusted-html parley ProseMirrorClipboard";

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
};

export interface FixturePage {
  origin: string;
  close: () => Promise<void>;
}

/** Serves a built folder on loopback, every unknown path answered by its index.html as the product does. */
export async function serveFolder(folder: string): Promise<FixturePage> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    const isFile = extname(path) !== '' && !path.includes('..');
    readFile(join(folder, isFile ? path : 'index.html')).then(
      (content) => {
        response.setHeader('content-security-policy', CSP);
        if (path.startsWith('/assets/')) response.setHeader('cache-control', 'public, max-age=31536000, immutable');
        response.setHeader('content-type', TYPES[isFile ? extname(path) : '.html'] ?? 'application/octet-stream');
        response.end(content);
      },
      () => {
        response.statusCode = 404;
        response.end();
      },
    );
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

const run = promisify(execFile);

/** Runs `vite build` as a person would: in a process of its own, so that nothing of the test runner gets into the build. */
export async function viteBuild(...args: string[]): Promise<void> {
  const { NODE_ENV: _, VITEST: __, ...env } = process.env;
  await run(process.execPath, [join(root, 'node_modules/vite/bin/vite.js'), 'build', '--logLevel', 'error', ...args], {
    cwd: root,
    env,
  });
}

/** Serves the fixtures, which the first file of a run that wants them builds. */
export async function serveFixtures(): Promise<FixturePage> {
  const folder = inject('scratch');
  const [building, built] = [join(folder, 'fixtures-building'), join(folder, 'fixtures')];
  // Of several that come at once the one that makes the folder builds; should it fail, the next one tries.
  while (!existsSync(built)) {
    const isOurs = await mkdir(building).then(
      () => true,
      () => false,
    );
    if (isOurs) await buildFixtures(building).then(() => rename(building, built));
    else await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return serveFolder(built);
}

async function buildFixtures(folder: string): Promise<void> {
  try {
    await viteBuild('--config', join(import.meta.dirname, 'fixtures/vite.config.ts'), '--outDir', folder);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}
