/** What is built: small at first, whole, honest about itself, and the same each time. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isClientCurrent } from '../../../scripts/setup/client.mjs';
import { launchBrowser, openContext } from '../../support/browser.ts';
import { serveFolder, viteBuild } from './fixturePage.ts';

/** Home and lobby, until there is something to see and to press (docs/design.md, "Numbers to design for"). */
const FIRST_LOAD_BYTES = 60 * 1024;

interface Manifest {
  commit: string | null;
  hash: string;
  files: Record<string, string>;
}

let [folders, made]: [string[], string[]] = [[], []];

async function build(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-build-'));
  made.push(folder);
  await viteBuild('--outDir', folder, '--emptyOutDir');
  return folder;
}

beforeAll(async () => {
  // What npm test has built is one of the two, unless something was changed since.
  const dist = isClientCurrent() ? join(import.meta.dirname, '../../../dist') : await build();
  folders = [await build(), dist];
}, 300_000);

afterAll(async () => {
  for (const folder of made) await rm(folder, { recursive: true });
  folders = made = [];
});

const first = (): string => folders[0]!;
const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, 'build.json'), 'utf8')) as Manifest;
const sha256 = (data: Uint8Array | string): string => createHash('sha256').update(data).digest('hex');
const filesOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));

describe('the build', () => {
  test('gives the same bytes twice', () => {
    const [one, two] = folders.map(manifestOf);
    expect(two!.files).toEqual(one!.files);
    expect(two!.hash).toBe(one!.hash);
  });

  test('lists every file with its hash, and its own hash is theirs', () => {
    const { files, hash } = manifestOf(first());
    const plain = filesOf(first()).filter((name) => !/\.(br|gz)$/.test(name) && name !== 'build.json');
    expect(Object.keys(files)).toEqual(plain.sort());
    for (const [name, digest] of Object.entries(files))
      expect(sha256(readFileSync(join(first(), name))), name).toBe(digest);
    const lines = Object.entries(files).map(([name, digest]) => `${digest}  ${name}\n`);
    expect(hash).toBe(sha256(lines.join('')));
  });

  test('has every larger text compressed beside it, to the same bytes', () => {
    for (const name of filesOf(first()).filter((file) => /\.(js|css|html|svg|json)$/.test(file))) {
      const data = readFileSync(join(first(), name));
      if (data.length < 1_024) continue;
      expect(brotliDecompressSync(readFileSync(join(first(), `${name}.br`))).equals(data), name).toBe(true);
      expect(gunzipSync(readFileSync(join(first(), `${name}.gz`))).equals(data), name).toBe(true);
    }
  });

  test('has hashed names for everything but the few that must keep theirs', () => {
    const plain = Object.keys(manifestOf(first()).files).filter(
      (name) => !/^assets\/[\w.-]+-[\w-]{8}\.\w+$/.test(name),
    );
    expect(plain).toEqual(['icon.svg', 'iconMaskable.svg', 'index.html', 'manifest.webmanifest', 'serviceWorker.js']);
  });

  test('has a page without inline script or style', () => {
    const html = readFileSync(join(first(), 'index.html'), 'utf8');
    expect(html).not.toMatch(/<style|\sstyle=|\son\w+=|javascript:/i);
    for (const [, attributes, inside] of html.matchAll(/<script([^>]*)>([\s\S]*?)<\/script>/g)) {
      expect(attributes).toContain('src="/assets/');
      expect(inside).toBe('');
    }
  });

  test('names no other origin to fetch from', () => {
    const outside = filesOf(first())
      .filter((name) => /\.(js|css|html|webmanifest)$/.test(name))
      .flatMap(
        (name) =>
          readFileSync(join(first(), name), 'utf8').match(
            /(?:src|href)="https?:[^"]+|url\(["']?https?:[^)]+|@import[^;]+/g,
          ) ?? [],
      );
    expect(outside).toEqual([]);
  });
});

describe('the first load', () => {
  test.each([
    ['home', '/', '[data-testid="home-create"]'],
    // Without a server behind it the lobby cannot open; what it is made of is loaded all the same.
    ['the lobby', `/m/k7dm-2xqp-9rta-4w3e#${'A'.repeat(43)}`, '[aria-busy="true"], [data-testid="closed"]'],
  ])('of %s is at most 60 KiB, the worker with its keys apart, and breaks no policy', async (_, path, ready) => {
    const served = await serveFolder(first());
    const browser = await launchBrowser();
    try {
      const { context, watched } = await openContext(browser, { origin: served.origin });
      const page = await context.newPage();
      const loaded = new Set<string>();
      page.on('response', (response) => {
        const isPage = response.frame() === page.mainFrame();
        if (response.ok() && isPage) loaded.add(new URL(response.url()).pathname);
      });
      await page.goto(served.origin + path);
      await page.locator(ready).first().waitFor();
      await page.waitForLoadState('networkidle');

      const names = [...loaded]
        .map((name) => (name === '/' || name.startsWith('/m/') ? 'index.html' : name.slice(1)))
        // The worker holds all of crypto/ and is fetched beside the screen, not before it; the meeting's screen, mesh and
        // self-test are fetched while people are in the lobby.
        .filter(
          (name) => /\.(html|js|css)$/.test(name) && !/(worker|keys-|sodium|Meeting|mesh|selfTest|watchdog)/.test(name),
        );
      const bytes = names.map((name) => {
        const file = join(first(), name);
        try {
          return statSync(`${file}.br`).size;
        } catch {
          return statSync(file).size;
        }
      });
      expect(names.length).toBeGreaterThan(4);
      const total = bytes.reduce((sum, size) => sum + size, 0);
      // How near the limit is, before a test fails for it.
      console.info(`first load of ${path === '/' ? 'home' : 'the lobby'}: ${total} of ${FIRST_LOAD_BYTES} B`);
      expect(total).toBeLessThanOrEqual(FIRST_LOAD_BYTES);
      expect(watched.cspViolations).toEqual([]);
      expect(watched.outsideRequests).toEqual([]);
    } finally {
      await browser.close();
      await served.close();
    }
  });
});
