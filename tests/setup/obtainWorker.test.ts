/** Which worker the set-up takes, with a mediasoup and a recipe that only pretend: nothing is loaded, nothing compiled. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { relayWorker } from '../../scripts/setup/relayWorker.mjs';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-obtain-'));
  mkdirSync(join(folder, 'mediasoup/worker/out/Release'), { recursive: true });
  write('mediasoup/package.json', '{"version": "9.8.7"}');
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (path: string): string => join(folder, path);
const write = (path: string, text: string): void => writeFileSync(at(path), text, { mode: 0o755 });
const read = (path: string): string => readFileSync(at(path), 'utf8');
const did = (): string => (existsSync(at('did')) ? read('did') : '');
const status = (): { state: string; detail: string; progress: number } =>
  JSON.parse(read('state/relay-worker.json')) as ReturnType<typeof status>;

const BINARY = 'mediasoup/worker/out/Release/mediasoup-worker';
/** What mediasoup's worker does when it is started by hand. `who` made it. */
const worker = (who: string): string => `#!/bin/sh\n# ${who}\nexit 41\n`;

/** What mediasoup's install script does. */
function download(becomes: 'works' | 'fails' | 'does not start here' | 'never ends'): void {
  const text = becomes === 'does not start here' ? '#!/bin/sh\nexit 127\n' : worker('official');
  write(
    'mediasoup/npm-scripts.mjs',
    `import { appendFileSync, writeFileSync } from 'node:fs';
     appendFileSync(${JSON.stringify(at('did'))}, 'download ');
     if (process.argv[2] !== 'postinstall' || process.env.PYTHON !== 'false') process.exit(9);
     if (${becomes === 'fails'}) process.exit(1);
     if (${becomes === 'never ends'}) setInterval(() => {}, 1000);
     else writeFileSync(${JSON.stringify(at(BINARY))}, ${JSON.stringify(text)}, { mode: 0o755 });`,
  );
}

/** What build-worker.sh does: `--cached` finds nothing, or what an earlier build has left. */
function recipe(building: string, { cached = false } = {}): void {
  const make = `printf '${worker('built').replaceAll('\n', '\\n')}' > "$out"; chmod +x "$out"`;
  write(
    'recipe.sh',
    `#!/bin/sh
     if [ "$1" = --cached ]; then
       out=$2/worker/out/Release/mediasoup-worker
       ${cached ? `${make}; exit 0` : 'exit 3'}
     fi
     out=$1/worker/out/Release/mediasoup-worker
     printf 'build ' >> ${at('did')}
     ${building === 'works' ? `echo 'progress 1/2'; echo 'progress 2/2'; ${make}` : building}`,
  );
}

const places = (env: Record<string, string> = {}) => ({
  mediasoup: at('mediasoup'),
  recipe: at('recipe.sh'),
  state: at('state'),
  env: { PARLEY_CACHE: at('cache'), ...env },
});

describe('the worker', () => {
  test('is the official one where that can be loaded, and nothing is built', async () => {
    download('works');
    recipe('works');
    expect(await relayWorker(places()).obtain()).toBeNull();
    expect(read(BINARY)).toContain('official');
    expect(did()).toBe('download ');
    expect(status()).toEqual({ state: 'ready', detail: at(BINARY), progress: 1 });
  });

  test.each(['fails', 'does not start here'] as const)('is built where the official one %s', async (what) => {
    download(what);
    recipe('works');
    expect(await relayWorker(places()).obtain()).toBeNull();
    expect(read(BINARY)).toContain('built');
    expect(did()).toBe('download build ');
    expect(status().state).toBe('ready');
    // A binary that does not run here is kept from the other checkouts.
    expect(existsSync(at('cache'))).toBe(false);
  });

  test('says how far its build is', async () => {
    download('fails');
    recipe("echo 'progress 1/4'; sleep 60");
    const stopping = new AbortController();
    const obtained = relayWorker(places()).obtain(stopping.signal);
    await vi.waitFor(() => expect(status()).toEqual({ state: 'building', detail: 'compiling', progress: 0.25 }), 5_000);
    stopping.abort();
    expect(await obtained).toBe('interrupted');
  });

  test('is taken as it is where it is there', async () => {
    download('works');
    recipe('works');
    write(BINARY, worker('present'));
    expect(await relayWorker(places()).obtain()).toBeNull();
    expect(read(BINARY)).toContain('present');
    expect(did()).toBe('');
  });
});

describe('the cache', () => {
  test('gives a second checkout the official worker that a first one has loaded', async () => {
    download('works');
    recipe('works');
    await relayWorker(places()).obtain();
    rmSync(at(BINARY));
    expect(await relayWorker(places()).find()).toBe(true);
    expect(read(BINARY)).toContain('official');
    expect(did()).toBe('download ');
  });

  test('gives it the one that was built, without asking the network', async () => {
    download('works');
    recipe('works', { cached: true });
    expect(await relayWorker(places()).find()).toBe(true);
    expect(read(BINARY)).toContain('built');
    expect(did()).toBe('');
  });

  test('is not believed where its worker does not start', async () => {
    download('works');
    recipe('works');
    await relayWorker(places()).obtain();
    rmSync(at(BINARY));
    const kept = at(`cache/relay-worker/official-9.8.7-${process.platform}-${process.arch}`);
    writeFileSync(kept, '#!/bin/sh\nexit 127\n');
    chmodSync(kept, 0o755);
    expect(await relayWorker(places()).find()).toBe(false);
    expect(status().state).toBe('missing');
  });
});

describe('a worker that somebody has named', () => {
  test('is taken, and nothing else is tried', async () => {
    write('own', worker('own'));
    const { obtain } = relayWorker(places({ MEDIASOUP_WORKER_BIN: at('own') }));
    expect(await obtain()).toBeNull();
    expect(status()).toMatchObject({ state: 'ready', detail: at('own') });
    expect(existsSync(at(BINARY))).toBe(false);
  });

  test('that does not start is an answer, and nothing else is tried', async () => {
    download('works');
    recipe('works');
    const { obtain } = relayWorker(places({ MEDIASOUP_WORKER_BIN: at('nowhere') }));
    expect(await obtain()).toContain(`MEDIASOUP_WORKER_BIN is ${at('nowhere')}`);
    expect(status().state).toBe('failed');
    expect(did()).toBe('');
  });

  test('is none where it is the dash that mediasoup’s script is told', async () => {
    download('works');
    recipe('works');
    expect(await relayWorker(places({ MEDIASOUP_WORKER_BIN: '-' })).obtain()).toBeNull();
    expect(did()).toBe('download ');
  });
});

describe('without a worker', () => {
  test('the reason is what the build says of this machine, in its last line', async () => {
    download('fails');
    recipe('echo working; echo "It needs Debian." >&2; exit 4');
    expect(await relayWorker(places()).obtain()).toBe('It needs Debian.');
    expect(status()).toMatchObject({ state: 'failed', detail: 'It needs Debian.' });
  });

  test('the compiler’s words are kept where the build fails otherwise', async () => {
    download('fails');
    recipe('echo "x.cpp:1: error"; exit 2');
    expect(await relayWorker(places()).obtain()).toContain(at('state/relay-worker.log'));
    expect(read('state/relay-worker.log')).toContain('x.cpp:1: error');
  });

  test('a set-up that is called off ends what it runs, and builds nothing more', async () => {
    download('never ends');
    recipe('works');
    const stopping = new AbortController();
    const obtained = relayWorker(places()).obtain(stopping.signal);
    await vi.waitFor(() => expect(did()).toBe('download '), 5_000);
    stopping.abort();
    expect(await Promise.race([obtained, sleep(10_000, 'still running')])).toBe('interrupted');
    expect(status()).toMatchObject({ state: 'missing', detail: 'interrupted' });
    expect(did()).toBe('download ');
  });
});
