/**
 * Builds the client into dist/: hashed names, code split by screen, compressed beside each file, and listed with its hash.
 *
 * Reproducible: the same commit gives the same bytes. So nothing here may depend on the clock, the machine or the order in
 * which files are found. Nothing is inlined into HTML, because the content security policy allows no inline code or style.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { paraglideVitePlugin } from '@inlang/paraglide-js';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin, type UserConfig } from 'vite';

const root = import.meta.dirname;

/** Text is worth compressing; what is below a packet or so is not. */
const COMPRESSIBLE = /\.(js|css|html|svg|json|webmanifest|wasm)$/;
const MIN_BYTES = 1_024;

/**
 * What home and lobby share, with what it needs in its turn (Svelte): one file. Left alone, the bundler splits it by who else wants a
 * part of it, and each file more costs the first load some hundred bytes.
 */
const SHARED_FIRST = new RegExp(
  [
    '/client/(paraglide/runtime|meeting/known|net/(links|offline)|e2ee/trusted)[.]',
    '/client/ui/(Avatar|Brand|CopyLink|PasswordField|copier[.]svelte|initials|ticker[.]svelte|time)[.]',
    '/@lucide/svelte/dist/(Icon|icons/(check|chevron-down|lock-keyhole|user|link|loader-circle|eye|eye-off))[.]',
  ].join('|'),
);

const sha256 = (data: Uint8Array | string): string => createHash('sha256').update(data).digest('hex');

/** The commit that is being built, with a plus where files differ from it; null outside of a checkout. */
function commitOf(folder: string): string | null {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim();
  try {
    const sources = [
      'client',
      'crypto',
      'signal/protocol',
      'index.html',
      'vite.config.ts',
      'package-lock.json',
      'patches',
    ];
    return git('rev-parse', 'HEAD') + (git('status', '--porcelain', '--', ...sources) === '' ? '' : '+');
  } catch {
    return null;
  }
}

/** Every file below a folder, as sorted paths relative to it. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

const brotli = promisify(brotliCompress);
const deflate = promisify(gzip);

/** Writes FILE.br and FILE.gz where that is worth it, each as small as it gets. */
async function compressBeside(file: string): Promise<void> {
  if (!COMPRESSIBLE.test(file)) return;
  const data = readFileSync(file);
  if (data.length < MIN_BYTES) return;
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: data.length };
  writeFileSync(`${file}.br`, await brotli(data, { params }));
  writeFileSync(`${file}.gz`, await deflate(data, { level: 9 }));
}

/**
 * Writes dist/build.json `{commit, hash, files: {name: sha256}}`, then each file's .br and .gz. `hash` is SHA-256 over the
 * lines `sha256  name` in the order of names: what the app shows as its build, and what anybody can compute again.
 */
export function listAndCompress({ compress = true } = {}): Plugin {
  let folder = '';
  return {
    name: 'parley:list-and-compress',
    apply: 'build',
    configResolved(config) {
      folder = resolve(config.root, config.build.outDir);
    },
    // After everything is written, the public folder included.
    async writeBundle() {
      const files = filesBelow(folder).map((name) => [name, sha256(readFileSync(join(folder, name)))] as const);
      const hash = sha256(files.map(([name, digest]) => `${digest}  ${name}\n`).join(''));
      const manifest = { commit: commitOf(root), hash, files: Object.fromEntries(files) };
      writeFileSync(join(folder, 'build.json'), `${JSON.stringify(manifest, null, 1)}\n`);
      if (!compress) return;
      // All at once: the compressors run beside each other on threads of their own.
      await Promise.all(filesBelow(folder).map((name) => compressBeside(join(folder, name))));
    },
  };
}

/** What the product's build and the page of fixtures (tests/client/ui/fixtures) share. */
export function sharedConfig(): UserConfig {
  return {
    plugins: [
      paraglideVitePlugin({
        project: join(root, 'project.inlang'),
        outdir: join(root, 'client/paraglide'),
        // One language: nothing to prefer. With the second comes 'preferredLanguage', and never a cookie.
        strategy: ['baseLocale'],
        // As files per message, in development too: so no two commands rewrite each other's.
        outputStructure: 'message-modules',
        emitTsDeclarations: true,
      }),
      svelte(),
    ],
    resolve: {
      // Its main entry wants Node's streams and process; this is the build for browsers.
      alias: [
        { find: /^simple-peer$/, replacement: 'simple-peer/simplepeer.min.js' },
        { find: /^decode-named-character-reference$/, replacement: join(root, 'client/chat/noEntities.ts') },
      ],
    },
    // Named after what they are for, so that what a page loads first is told from what its worker does.
    worker: { format: 'es', rolldownOptions: { output: { chunkFileNames: 'assets/keys-[name]-[hash].js' } } },
    build: {
      target: 'es2023',
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
      emptyOutDir: true,
      rolldownOptions: {
        output: {
          codeSplitting: {
            groups: [{ name: 'first', test: SHARED_FIRST }],
          },
        },
      },
    },
  };
}

const port = process.env['PARLEY_PORT'] ?? '3000';
const signal = { target: `http://127.0.0.1:${port}`, changeOrigin: false };

export default defineConfig(() => {
  const shared = sharedConfig();
  return {
    ...shared,
    root,
    publicDir: 'client/public',
    plugins: [...(shared.plugins ?? []), listAndCompress()],
    build: {
      ...shared.build,
      outDir: 'dist',
      rolldownOptions: {
        input: { index: join(root, 'index.html'), serviceWorker: join(root, 'client/offline/serviceWorker.ts') },
        output: {
          ...shared.build?.rolldownOptions?.output,
          // A service worker has one address for all builds.
          entryFileNames: ({ name }) => (name === 'serviceWorker' ? '[name].js' : 'assets/[name]-[hash].js'),
        },
      },
    },
    optimizeDeps: { entries: ['index.html'] },
    server: {
      proxy: { '/api': signal, '/healthz': signal, '/ws': { ...signal, ws: true } },
      watch: { ignored: ['**/data/**', '**/dist/**', '**/tests/**'] },
    },
  };
});
