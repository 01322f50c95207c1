/** npm run bench: measures, by tests/bench/main.ts. `npm run bench -- NAME` runs one of them. */
import { becomeChild } from '../setup/run.mjs';
import { findRuntime, runtimeEnv } from '../setup/runtime.mjs';
import { obtainRelayWorker } from '../setup/relayWorker.mjs';
import { main } from '../setup/say.mjs';
import { setUp } from '../setup/setup.mjs';
import { ensureTestTools } from '../setup/testTools.mjs';

main(async () => {
  await setUp();
  const env = { ...runtimeEnv(), ...(await ensureTestTools({ isCi: false })) };
  // Before, not beside; where there is none, the rows that need it say so.
  await obtainRelayWorker();
  const { ended } = becomeChild(findRuntime(), ['tests/bench/main.ts', ...process.argv.slice(2)], env);
  process.exit(await ended);
});
