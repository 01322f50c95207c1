/** npm run check: the build, then setup/checks.mjs. All of them run, and everything that is wrong is shown. */
import { CHECKS } from '../setup/checks.mjs';
import { ensureClient } from '../setup/client.mjs';
import { alone } from '../setup/lock.mjs';
import { installed } from '../setup/paths.mjs';
import { run } from '../setup/run.mjs';
import { findRuntime, runtimeEnv } from '../setup/runtime.mjs';
import { main } from '../setup/say.mjs';
import { setUp } from '../setup/setup.mjs';

/** As many at a time as there are cores on a small machine: each of them needs one, and some hundred megabytes. */
const AT_ONCE = 2;

main(async () => {
  await setUp({ client: false });
  const results = new Map();
  // First: the build also writes client/paraglide, which lint and types need.
  const built = Date.now();
  const problem = await alone(ensureClient).then(
    () => null,
    (error) => error.message,
  );
  results.set('build', {
    code: problem ? 1 : 0,
    output: problem ?? '',
    seconds: Math.round((Date.now() - built) / 1000),
  });

  const waiting = [...CHECKS];
  const worker = async () => {
    for (let check = waiting.shift(); check; check = waiting.shift()) {
      const started = Date.now();
      const { code, output } = await run(findRuntime(), [installed(...check.script), ...check.args], {
        env: { ...runtimeEnv(), FORCE_COLOR: process.stdout.isTTY ? '1' : '0' },
      });
      results.set(check.name, { code, output, seconds: Math.round((Date.now() - started) / 1000) });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));

  const all = [{ name: 'build' }, ...CHECKS];
  const failed = all.filter(({ name }) => results.get(name).code !== 0);
  for (const { name } of failed)
    console.log(`\n── ${name} ${'─'.repeat(60 - name.length)}\n${results.get(name).output.trim()}`);
  console.log();
  for (const { name, fix } of all) {
    const { code, seconds } = results.get(name);
    const hint = code !== 0 && fix ? `   (${fix})` : '';
    console.log(`${code === 0 ? 'ok    ' : 'FAILED'}  ${name.padEnd(12)} ${seconds} s${hint}`);
  }
  process.exit(failed.length > 0 ? 1 : 0);
});
