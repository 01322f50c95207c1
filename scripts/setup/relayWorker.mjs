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

const STATUS_NAME = 'relay-worker.json';
export const STATUS_FILE = join(STATE, STATUS_NAME);

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

function copyInto(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, `${to}.part`);
  renameSync(`${to}.part`, to);
}

/**
 * The worker for one copy of mediasoup. Without arguments: ours.
 * @param {object} [places]
 * @param {string} [places.mediasoup]  the package's folder
 * @param {string} [places.recipe]  build-worker.sh, or what does the same
 * @param {string} [places.state]  folder for the status, and for what a failed build has said
 * @param {Record<string, string | undefined>} [places.env]  names the worker, or the cache's folder
 */
export function relayWorker({
  mediasoup = installed('mediasoup'),
  recipe = join(ROOT, 'relay', 'worker', 'build-worker.sh'),
  state = STATE,
  env = process.env,
} = {}) {
  /** Where mediasoup looks for it. */
  const binary = join(mediasoup, 'worker', 'out', 'Release', 'mediasoup-worker');
  /** The one that somebody has named; `-` is what one says to mediasoup's install script, and names none. */
  const named = ['', '-', undefined].includes(env.MEDIASOUP_WORKER_BIN) ? null : env.MEDIASOUP_WORKER_BIN;
  const log = join(state, 'relay-worker.log');
  const tell = (what, detail, progress) => report(what, detail, progress, join(state, STATUS_NAME));

  function officialInCache() {
    const { version } = JSON.parse(readFileSync(join(mediasoup, 'package.json'), 'utf8'));
    return join(cacheFolder(env), 'relay-worker', `official-${version}-${process.platform}-${process.arch}`);
  }

  /** Looks for a worker that is there, in a fraction of a second. @returns whether there is one */
  async function find() {
    if (named) {
      const works = await starts(named);
      tell(works ? 'ready' : 'failed', works ? named : `MEDIASOUP_WORKER_BIN is ${named}, which does not start here.`);
      return works;
    }
    const found = async () => {
      if (await starts(binary)) return true;
      if (await starts(officialInCache())) {
        copyInto(officialInCache(), binary);
        return true;
      }
      const { code } = await run(recipe, ['--cached', mediasoup]);
      return code === 0;
    };
    const ready = await found();
    tell(ready ? 'ready' : 'missing', ready ? binary : 'it is fetched or built once the server is up');
    return ready;
  }

  /** mediasoup's own download. Its fall-back, a build that loads even more, is kept from starting: there is no such Python. */
  async function fetchOfficial(signal) {
    tell('fetching', 'the official binary');
    await run(findRuntime(), ['npm-scripts.mjs', 'postinstall'], {
      cwd: mediasoup,
      env: { PYTHON: 'false', MEDIASOUP_WORKER_BIN: undefined },
      timeoutMs: FETCH_LIMIT_MS,
      signal,
    });
    if (!(await starts(binary))) {
      // Half a download.
      rmSync(binary, { force: true });
      return false;
    }
    copyInto(binary, officialInCache());
    return true;
  }

  async function build(signal) {
    say('Relay: building its worker in the background (a minute or two, once). Small meetings do not need it.');
    tell('building', 'installing what it is built from');
    let said = 0;
    const { code, output } = await run('nice', [recipe, mediasoup], {
      signal,
      onLine(line) {
        const progress = progressOf(line);
        if (progress === null) return;
        tell('building', 'compiling', progress);
        if (progress - said < 0.25) return;
        said = progress;
        say(`Relay: ${Math.round(progress * 100)} % of its worker is built.`);
      },
    });
    if (code === 0) return null;
    writeFileSync(log, output);
    // Exit 4: the script says in one sentence what this machine lacks.
    return code === 4 ? (output.trim().split('\n').pop() ?? '') : `its worker could not be built: see ${log}`;
  }

  /**
   * Fetches or builds the worker where `find` finds none.
   * @param {AbortSignal} [signal]  ends what is running; the next call goes on where this one was
   * @returns {Promise<string | null>} null, or why there is no worker, as a sentence for a person
   */
  async function obtain(signal) {
    if (await find()) return null;
    // Whoever names a binary wants that one or none.
    if (named) return `MEDIASOUP_WORKER_BIN is ${named}, which does not start here.`;
    const refused = (await fetchOfficial(signal)) || signal?.aborted ? null : await build(signal);
    if (signal?.aborted) {
      tell('missing', 'interrupted');
      return 'interrupted';
    }
    if (refused === null) {
      tell('ready', binary);
      say('Relay: its worker is ready.');
    } else {
      tell('failed', refused);
      say(`Relay: no worker, so meetings stay small. ${refused}`);
    }
    return refused;
  }

  return { find, obtain };
}

export const { find: findRelayWorker, obtain: obtainRelayWorker } = relayWorker();
