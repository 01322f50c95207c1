/** One run of vitest on Node 24, closed by a line with the true counts. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { countResults, formatCounts } from './counts.mjs';
import { installed, STATE } from './paths.mjs';
import { becomeChild } from './run.mjs';
import { findRuntime, runtimeEnv } from './runtime.mjs';
import { say } from './say.mjs';

const RESULTS = join(STATE, 'test-results.json');

/** Runs vitest with `args` added, prints the counts as the last line, and ends the process with the right code. */
export async function runVitest(args, env = {}) {
  rmSync(RESULTS, { force: true });
  const vitest = [installed('vitest', 'vitest.mjs'), 'run', '--reporter=default', '--reporter=json'];
  const { ended } = becomeChild(findRuntime(), [...vitest, `--outputFile.json=${RESULTS}`, ...args], {
    ...runtimeEnv(),
    ...env,
  });
  const code = await ended;
  let counts = { passed: 0, failed: 0, skipped: 0 };
  try {
    counts = countResults(JSON.parse(readFileSync(RESULTS, 'utf8')));
  } catch {
    say('vitest left no report.');
  }
  if (code !== 0 && counts.failed === 0) {
    say('vitest failed outside of any test: see above.');
    counts.failed = 1;
  }
  console.log(formatCounts(counts));
  process.exit(counts.failed > 0 ? code || 1 : code);
}
