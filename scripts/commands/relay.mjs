/**
 * npm run relay: a relay as a process of its own, on any host. Sets up what is missing, mediasoup's worker first of all: without it
 * there is nothing to run. Arguments and environment go to relay/main.ts (`npm run relay -- --help`).
 */
import { findRelayWorker, obtainRelayWorker } from '../setup/relayWorker.mjs';
import { becomeChild } from '../setup/run.mjs';
import { findRuntime, runtimeEnv } from '../setup/runtime.mjs';
import { main } from '../setup/say.mjs';
import { setUp } from '../setup/setup.mjs';

main(async () => {
  const args = process.argv.slice(2);
  await setUp({ client: false });
  if (!args.includes('--help') && !(await findRelayWorker())) await obtainRelayWorker();
  const { ended } = becomeChild(findRuntime(), ['relay/main.ts', ...args], runtimeEnv());
  process.exit(await ended);
});
