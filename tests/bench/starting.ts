/** Row 25: how long `npm start` takes in a fresh clone until it serves, and how long again. Without the relay's worker, which comes later. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemPath } from '../../scripts/setup/paths.mjs';
import { Health } from '../../signal/protocol/http.ts';
import { freePort } from '../support/namespace.ts';
import type { Bench, Figure } from './measure.ts';
import { median } from './measure.ts';

const ROOT = join(import.meta.dirname, '../..');
const PATIENCE_MS = 600_000;
/** The server says good-bye within five seconds. */
const END_MS = 10_000;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What somebody has in their shell: nothing of the npm and the Node that run this bench. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE|PARLEY_|INIT_CWD$|CI$)/.test(name));
  return { ...Object.fromEntries(entries), PATH: systemPath() };
}

async function isUp(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/healthz`);
    return response.ok && Health.parse(await response.json()).ok;
  } catch {
    return false;
  }
}

/** Starts, waits until it serves, and ends it. @returns seconds from the command to a healthy answer, and what it said */
async function timeStart(folder: string, npmCache: string | null): Promise<{ seconds: number; said: string }> {
  const port = await freePort();
  const env = {
    ...plainEnvironment(),
    PARLEY_PORT: String(port),
    PARLEY_DATA: join(folder, 'data'),
    // A worker that is named, even wrongly, is the only one that is tried.
    MEDIASOUP_WORKER_BIN: join(folder, 'none'),
    ...(npmCache === null ? {} : { npm_config_cache: npmCache }),
  };
  const from = performance.now();
  // A group of its own, so that all of it can be ended: npm, its shell, the set-up, the server.
  const npm = spawn('npm', ['start'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let said = '';
  for (const stream of [npm.stdout, npm.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = once(npm, 'close');
  const hasEnded = (): boolean => npm.exitCode !== null || npm.signalCode !== null;
  try {
    while (!(await isUp(port))) {
      if (hasEnded()) throw new Error(`npm start ended with ${npm.exitCode ?? npm.signalCode}:\n${said}`);
      if (performance.now() - from > PATIENCE_MS)
        throw new Error(`npm start did not serve within ten minutes:\n${said}`);
      await wait(20);
    }
    const seconds = (performance.now() - from) / 1000;
    const home = await fetch(`http://127.0.0.1:${port}/`);
    if (!home.ok || !(await home.text()).includes('<script')) throw new Error('there is no client to be had');
    return { seconds, said };
  } finally {
    endGroup(npm.pid!, 'SIGTERM');
    const timer = setTimeout(() => endGroup(npm.pid!, 'SIGKILL'), END_MS);
    await ended;
    clearTimeout(timer);
  }
}

function endGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended by itself.
  }
}

export const starting: Bench = {
  row: 25,
  name: 'start',
  title: 'From `npm start` to a server that answers, without the relay’s worker',
  async run({ rounds, say, emptyCaches }) {
    const first: number[] = [];
    const second: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const folder = mkdtempSync(join(tmpdir(), 'parley-start-'));
      try {
        const clone = join(folder, 'parley');
        execFileSync('git', ['clone', '--quiet', ROOT, clone], { stdio: ['ignore', 'ignore', 'inherit'] });
        const npmCache = emptyCaches ? join(folder, 'npm') : null;
        const fresh = await timeStart(clone, npmCache);
        if (!existsSync(join(clone, 'dist/index.html'))) throw new Error('the first start built no client');
        const again = await timeStart(clone, npmCache);
        if (/Installing|Building/.test(again.said))
          throw new Error(`the second start did it all again:\n${again.said}`);
        first.push(fresh.seconds);
        second.push(again.seconds);
        say(`first ${fresh.seconds.toFixed(1)} s, second ${again.seconds.toFixed(1)} s`);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    }
    const cache = emptyCaches ? 'npm’s cache empty' : 'npm’s cache filled';
    const alone = (what: string, seconds: number[]): Figure => ({
      what,
      unit: 's',
      ours: median(seconds),
      other: null,
      ratio: null,
      against: '',
      target: '',
      met: null,
    });
    return {
      figures: [alone(`first start of a fresh clone, ${cache}`, first), alone('second start', second)],
      checked: [
        '/healthz answered that all but the relay is up, the page came, and the second start installed and built nothing',
      ],
    };
  },
};
