/**
 * Child processes: awaited, or in our place.
 *
 * `run` waits for a helper of the set-up. `becomeChild` starts the program that the script is for: signals go down to
 * it, and its exit code comes back as ours.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { ROOT } from './paths.mjs';

/**
 * @typedef {object} RunOptions
 * @property {Record<string, string | undefined>} [env]  added to ours; an undefined value takes the variable away
 * @property {string} [cwd]  the project's folder unless said otherwise
 * @property {'inherit' | 'pipe'} [stdio]  piped by default, to have the output in the answer
 * @property {(line: string) => void} [onLine]  called with each line of output, when piped
 * @property {number} [timeoutMs]  the command and all its children are ended then
 * @property {AbortSignal} [signal]  ends the command and all its children too
 */

/**
 * Runs a command to its end.
 * @param {string} command
 * @param {string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<{code: number, output: string}>} code 127 where the command does not exist, 128 + n after signal n
 */
export function run(command, args, { env = {}, cwd = ROOT, stdio = 'pipe', onLine, timeoutMs, signal } = {}) {
  return new Promise((resolve) => {
    // A group of its own where we may have to end it: a build has children of its own.
    const detached = Boolean(timeoutMs || signal) && process.platform !== 'win32';
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: stdio === 'inherit' ? 'inherit' : ['ignore', 'pipe', 'pipe'],
      detached,
      // npm is npm.cmd there, which only a shell can start.
      shell: process.platform === 'win32' && command === 'npm',
    });
    const end = () => {
      try {
        if (detached) process.kill(-child.pid, 'SIGTERM');
        else child.kill('SIGTERM');
      } catch {
        // It ended by itself in the meantime.
      }
    };
    const timer = timeoutMs ? setTimeout(end, timeoutMs) : undefined;
    if (signal?.aborted) end();
    signal?.addEventListener('abort', end, { once: true });

    let output = '';
    let rest = '';
    const take = (chunk) => {
      output += chunk;
      if (!onLine) return;
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      lines.forEach(onLine);
    };
    child.stdout?.setEncoding('utf8').on('data', take);
    child.stderr?.setEncoding('utf8').on('data', take);

    const done = (code) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      if (rest) onLine?.(rest);
      resolve({ code, output });
    };
    child.on('error', (error) => done(error.code === 'ENOENT' ? 127 : 126));
    child.on('close', (code, signalName) => done(exitCode(code, signalName)));
  });
}

/** The shell's convention: 128 + n for a process that signal n ended. */
export function exitCode(code, signalName) {
  return code ?? 128 + (constants.signals[signalName] ?? 0);
}

/**
 * Starts the program that this script is for, on our own stdin, stdout and stderr, and hands signals down.
 * @returns the child, and `ended`: a promise of its exit code
 */
export function becomeChild(command, args, env = {}) {
  const child = spawn(command, args, { cwd: ROOT, env: { ...process.env, ...env }, stdio: 'inherit' });
  const handDown = (signalName) => {
    // Ctrl-C reaches the whole foreground group, the child included: a second one would mean "at once" to it.
    if (signalName === 'SIGINT' && process.stdin.isTTY) return;
    child.kill(signalName);
  };
  for (const signalName of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signalName, handDown);
  const parentWatch = whenOrphaned(() => child.kill('SIGTERM'));
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signalName) => resolve(exitCode(code, signalName)));
  }).finally(() => clearInterval(parentWatch));
  return { child, ended };
}

/**
 * npm runs us through a shell and hands signals to that shell alone (npm 10 and 11, with dash): it dies, and we would
 * serve on unseen. So whoever was started by npm ends when its shell is gone. Started by hand we may outlive a parent.
 */
function whenOrphaned(end) {
  if (!process.env.npm_lifecycle_event) return undefined;
  const parent = process.ppid;
  return setInterval(() => {
    if (process.ppid !== parent) end();
  }, 500);
}
