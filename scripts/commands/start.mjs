/**
 * npm start: sets up what is missing, then serves Parley. Arguments and environment go to signal/main.ts
 * (`npm start -- --help` lists what it understands).
 */
import { main } from '../setup/say.mjs';
import { findRelayWorker, obtainRelayWorker, STATUS_FILE } from '../setup/relayWorker.mjs';
import { becomeChild } from '../setup/run.mjs';
import { findRuntime, runtimeEnv } from '../setup/runtime.mjs';
import { setUp } from '../setup/setup.mjs';

/** The server has the machine to itself until it answers; then the worker's turn comes. */
const WORKER_DELAY_MS = 3_000;

main(async () => {
  const args = process.argv.slice(2);
  const asksOnly = args.includes('--help');
  await setUp({ client: !asksOnly });
  const hasWorker = asksOnly || (await findRelayWorker());

  const env = { ...runtimeEnv(), PARLEY_RELAY_WORKER_STATUS: STATUS_FILE };
  const { ended } = becomeChild(findRuntime(), ['signal/main.ts', ...args], env);

  const stopping = new AbortController();
  let obtaining = Promise.resolve(null);
  const timer = setTimeout(() => {
    if (!hasWorker) obtaining = obtainRelayWorker(stopping.signal);
  }, WORKER_DELAY_MS);

  const code = await ended;
  clearTimeout(timer);
  stopping.abort();
  await obtaining;
  process.exit(code);
});
