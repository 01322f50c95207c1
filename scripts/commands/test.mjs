/** npm test: sets up what is missing, browsers too, then runs the tests. `npm test -- PATH…` runs some of them. */
import { formatCounts } from '../setup/counts.mjs';
import { obtainRelayWorker } from '../setup/relayWorker.mjs';
import { main, say } from '../setup/say.mjs';
import { setUp } from '../setup/setup.mjs';
import { ensureTestTools } from '../setup/testTools.mjs';
import { runVitest } from '../setup/vitest.mjs';

main(async () => {
  let env;
  try {
    await setUp();
    env = await ensureTestTools();
    // Before the tests, not beside them: a compiler on both cores would upset whatever they measure.
    const refused = await obtainRelayWorker();
    if (refused !== null && process.env.CI) throw new Error(`CI needs the relay's worker: ${refused}`);
  } catch (error) {
    say(`\n${error.message}`);
    console.log(formatCounts({ passed: 0, failed: 0, skipped: 0 }));
    process.exit(1);
  }
  await runVitest(process.argv.slice(2), env);
});
