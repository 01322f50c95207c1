/**
 * The relay's worker, in this order: one that is there, the official binary, the build in relay/worker.
 *
 * Never in the way: `npm start` calls `findRelayWorker` (quick) before the server and `obtainRelayWorker` beside it.
 * How far it is stands in a file that the server shows in /healthz (PARLEY_RELAY_WORKER_STATUS has its path):
 *
 *   {"state": "missing"|"fetching"|"building"|"ready"|"failed", "detail": text, "progress": 0 … 1}
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cacheFolder, installed, ROOT, STATE } from './paths.mjs';
import { run } from './run.mjs';
import { findRuntime } from './runtime.mjs';
import { say } from './say.mjs';

export const STATUS_FILE = join(STATE, 'relay-worker.json');
const LOG_FILE = join(STATE, 'relay-worker.log');

const PACKAGE = installed('mediasoup');
/** Where mediasoup looks for it. */
const BINARY = join(PACKAGE, 'worker', 'out', 'Release', 'mediasoup-worker');
const BUILD = join(ROOT, 'relay', 'worker', 'build-worker.sh');

/** A few megabytes: whoever has not got them after this long is better served by the build. */
const FETCH_LIMIT_MS = 60_000;

/** The worker's exit code when mediasoup did not start it (worker/src/main.cpp): so it loads and runs on this machine. */
const STARTS = 41;

/** Writes the status for the server. Renamed into place: the server never reads half of it. */
export function report(state, detail, progress = state === 'ready' ? 1 : 0, file = STATUS_FILE) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.part`, JSON.stringify({ state, detail, progress }));
  renameSync(`${file}.part`, file);
}

/** Fraction built after a line of build-worker.sh's output; null when the line says nothing about it. */
export function progressOf(line) {
  const match = /^progress (\d+)\/(\d+)$/.exec(line);
  return match ? Number(match[1]) / Number(match[2]) : null;
}

async function starts(binary) {
  if (!existsSync(binary)) return false;
  const { code } = await run(binary, [], { env: { MEDIASOUP_VERSION: undefined }, timeoutMs: 5_000 });
  return code === STARTS;
}

function officialInCache() {
  const { version } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8'));
  return join(cacheFolder(), 'relay-worker', `official-${version}-${process.platform}-${process.arch}`);
}

function copyInto(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, `${to}.part`);
  renameSync(`${to}.part`, to);
}

/** The binary that somebody has named; `-` is what one says to mediasoup's install script, and names none. */
function named() {
  const own = process.env.MEDIASOUP_WORKER_BIN;
  return own && own !== '-' ? own : null;
}

/** Looks for a worker that is there, in a fraction of a second. @returns whether there is one */
export async function findRelayWorker() {
  const own = named();
  if (own) {
    const works = await starts(own);
    report(works ? 'ready' : 'failed', works ? own : `MEDIASOUP_WORKER_BIN is ${own}, which does not start here.`);
    return works;
  }
  const found = async () => {
    if (await starts(BINARY)) return true;
    if (await starts(officialInCache())) {
      copyInto(officialInCache(), BINARY);
      return true;
    }
    const { code } = await run(BUILD, ['--cached', PACKAGE]);
    return code === 0;
  };
  const ready = await found();
  report(ready ? 'ready' : 'missing', ready ? BINARY : 'it is fetched or built once the server is up');
  return ready;
}

/** mediasoup's own download. Its fall-back, a build that loads even more, is kept from starting: there is no such Python. */
async function fetchOfficial(signal) {
  report('fetching', 'the official binary');
  await run(findRuntime(), ['npm-scripts.mjs', 'postinstall'], {
    cwd: PACKAGE,
    env: { PYTHON: 'false', MEDIASOUP_WORKER_BIN: undefined },
    timeoutMs: FETCH_LIMIT_MS,
    signal,
  });
  if (!(await starts(BINARY))) {
    // Half a download.
    rmSync(BINARY, { force: true });
    return false;
  }
  copyInto(BINARY, officialInCache());
  return true;
}

async function build(signal) {
  say('Relay: building its worker in the background (a minute or two, once). Small meetings do not need it.');
  report('building', 'installing what it is built from');
  let said = 0;
  const { code, output } = await run('nice', [BUILD, PACKAGE], {
    signal,
    onLine(line) {
      const progress = progressOf(line);
      if (progress === null) return;
      report('building', 'compiling', progress);
      if (progress - said < 0.25) return;
      said = progress;
      say(`Relay: ${Math.round(progress * 100)} % of its worker is built.`);
    },
  });
  if (code === 0) return null;
  writeFileSync(LOG_FILE, output);
  // Exit 4: the script says in one sentence what this machine lacks.
  return code === 4 ? (output.trim().split('\n').pop() ?? '') : `its worker could not be built: see ${LOG_FILE}`;
}

/**
 * Fetches or builds the worker where `findRelayWorker` found none.
 * @param signal  AbortSignal: ends what is running; the next call goes on where this one was
 * @returns null, or why there is no worker, as a sentence for a person
 */
export async function obtainRelayWorker(signal) {
  if (await findRelayWorker()) return null;
  // Whoever names a binary wants that one or none.
  if (named()) return `MEDIASOUP_WORKER_BIN is ${named()}, which does not start here.`;
  const refused = (await fetchOfficial(signal)) || signal?.aborted ? null : await build(signal);
  if (signal?.aborted) {
    report('missing', 'interrupted');
    return 'interrupted';
  }
  if (refused === null) {
    report('ready', BINARY);
    say('Relay: its worker is ready.');
  } else {
    report('failed', refused);
    say(`Relay: no worker, so meetings stay small. ${refused}`);
  }
  return refused;
}
