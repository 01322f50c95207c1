/**
 * One set-up at a time in one checkout: `npm test` beside a first `npm start` waits instead of installing twice.
 *
 * The lock is a file with the holder's process id, outside node_modules (which `npm ci` removes). A holder that no
 * longer runs holds nothing.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT } from './paths.mjs';
import { say } from './say.mjs';

const LOCK = join(ROOT, '.cache', 'setup.lock');

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Runs `work` while no other process of this checkout is in here. */
export async function alone(work, { file = LOCK, pollMs = 300 } = {}) {
  mkdirSync(dirname(file), { recursive: true });
  for (let waited = false; ; waited = true) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const holder = Number(readOr(file));
    // Empty for the instant between creating and writing: give that a turn, too.
    if (holder > 0 && !isRunning(holder)) {
      rmSync(file, { force: true });
      continue;
    }
    if (!waited) say('Another Parley command is setting this folder up; waiting for it …');
    await sleep(pollMs);
  }
  const release = () => rmSync(file, { force: true });
  process.on('exit', release);
  try {
    return await work();
  } finally {
    process.off('exit', release);
    release();
  }
}

function readOr(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
