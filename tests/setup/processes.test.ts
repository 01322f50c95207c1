/** Real child processes: exit codes, signals, time limits, the lock between two set-ups. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { alone } from '../../scripts/setup/lock.mjs';
import { run } from '../../scripts/setup/run.mjs';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-processes-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const isRunning = (pid: number): boolean => {
  try {
    // A zombie that nobody has collected yet counts as gone.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

describe('a command of the set-up', () => {
  test.each([
    ['exit 7', 7],
    ['kill -TERM $$', 143],
    ['true', 0],
  ])('`%s` ends with %i', async (script, expected) => {
    expect((await run('sh', ['-c', script])).code).toBe(expected);
  });

  test('that does not exist ends with 127', async () => {
    expect((await run('no-such-command', [])).code).toBe(127);
  });

  test('hands over its output line by line, the last one without a line end too', async () => {
    const lines: string[] = [];
    const { output } = await run('sh', ['-c', 'echo one; echo two >&2; sleep 0.1; printf three'], {
      onLine: (line: string) => lines.push(line),
    });
    expect(lines.sort()).toEqual(['one', 'three', 'two']);
    expect(output).toContain('two');
  });

  test('ends with all its children at its time limit', async () => {
    const { code, output } = await run('sh', ['-c', 'sleep 60 & echo $!; wait'], { timeoutMs: 300 });
    expect(code).toBe(143);
    await vi.waitFor(() => expect(isRunning(Number(output))).toBe(false));
  });

  test('ends with all its children when it is called off', async () => {
    const stopping = new AbortController();
    const ended = run('sh', ['-c', 'sleep 60 & echo $!; wait'], { signal: stopping.signal });
    setTimeout(() => stopping.abort(), 200);
    const { output } = await ended;
    await vi.waitFor(() => expect(isRunning(Number(output))).toBe(false));
  });
});

describe('the program that a script starts', () => {
  const runModule = JSON.stringify(join(import.meta.dirname, '../../scripts/setup/run.mjs'));

  /** A script as npm runs it: through a shell that stays. */
  function start(program: string, { npm = false } = {}): { shell: ChildProcess; output: () => string } {
    const script = join(folder, `script-${process.hrtime.bigint()}.mjs`);
    writeFileSync(
      script,
      `import { becomeChild } from ${runModule};
       const { ended } = becomeChild(process.execPath, ['-e', ${JSON.stringify(program)}]);
       console.log('script', process.pid);
       process.exit(await ended);`,
    );
    const command = npm ? ['sh', '-c', `"${process.execPath}" "${script}"; exit $?`] : [process.execPath, script];
    const { npm_lifecycle_event: _, ...env } = process.env;
    const shell = spawn(command[0] as string, command.slice(1), {
      env: npm ? { ...env, npm_lifecycle_event: 'start' } : env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    shell.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    return { shell, output: () => text };
  }
  const exitOf = (child: ChildProcess): Promise<number | null> =>
    new Promise((resolve) => child.on('exit', (code) => resolve(code)));

  test('gives its exit code', async () => {
    expect(await exitOf(start('process.exit(2)').shell)).toBe(2);
  });

  const DRAINS =
    "process.on('SIGTERM', () => { console.log('drained'); process.exit(0); }); console.log('up'); setInterval(() => {}, 1000)";

  test('hears SIGTERM, and may end in its own way', async () => {
    const { shell, output } = start(DRAINS);
    await vi.waitFor(() => expect(output()).toContain('up'), 5_000);
    shell.kill('SIGTERM');
    expect(await exitOf(shell)).toBe(0);
    expect(output()).toContain('drained');
  });

  test('does not stay behind when npm’s shell is ended in its place', async () => {
    const { shell, output } = start(DRAINS, { npm: true });
    await vi.waitFor(() => expect(output()).toContain('up'), 5_000);
    const script = Number(/script (\d+)/.exec(output())?.[1]);
    shell.kill('SIGKILL');
    await vi.waitFor(() => expect(output()).toContain('drained'), 5_000);
    await vi.waitFor(() => expect(isRunning(script)).toBe(false), 5_000);
  });
});

describe('two set-ups of one checkout', () => {
  test('take turns', async () => {
    const file = join(folder, 'turns.lock');
    const log: string[] = [];
    const one = async (name: string): Promise<void> => {
      log.push(`${name} in`);
      await sleep(50);
      log.push(`${name} out`);
    };
    await Promise.all([
      alone(() => one('a'), { file, pollMs: 10 }),
      alone(() => one('b'), { file, pollMs: 10 }),
      alone(() => one('c'), { file, pollMs: 10 }),
    ]);
    for (let i = 0; i < log.length; i += 2) expect(log[i + 1]).toBe(log[i]?.replace('in', 'out'));
    expect(log).toHaveLength(6);
    expect(existsSync(file)).toBe(false);
  });

  test('do not wait for one that was killed', async () => {
    const file = join(folder, 'killed.lock');
    const killed = spawn('true');
    await new Promise((resolve) => killed.on('exit', resolve));
    writeFileSync(file, String(killed.pid));
    expect(await alone(() => Promise.resolve('in'), { file, pollMs: 10 })).toBe('in');
  });

  test('let go of the lock when the work fails', async () => {
    const file = join(folder, 'fails.lock');
    await expect(alone(() => Promise.reject(new Error('no network')), { file })).rejects.toThrow('no network');
    expect(existsSync(file)).toBe(false);
  });
});
