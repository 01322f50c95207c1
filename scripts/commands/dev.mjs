/**
 * npm run dev: Vite serves the client with hot reload on http://localhost:5173 and hands /api, /ws and /healthz on to the
 * server (vite.config.ts), which starts again when its files change.
 */
import { installed } from '../setup/paths.mjs';
import { becomeChild } from '../setup/run.mjs';
import { findRuntime, runtimeEnv } from '../setup/runtime.mjs';
import { findRelayWorker, STATUS_FILE } from '../setup/relayWorker.mjs';
import { main } from '../setup/say.mjs';
import { setUp } from '../setup/setup.mjs';

main(async () => {
  // The server wants a built client too; Vite shows the present one.
  await setUp();
  await findRelayWorker();
  const env = { ...runtimeEnv(), PARLEY_RELAY_WORKER_STATUS: STATUS_FILE };
  const server = becomeChild(findRuntime(), ['--watch', '--watch-preserve-output', 'signal/main.ts'], env);
  const vite = becomeChild(findRuntime(), [installed('vite', 'bin', 'vite.js'), ...process.argv.slice(2)], env);
  // Neither is of use alone.
  const code = await Promise.race([server.ended, vite.ended]);
  server.child.kill();
  vite.child.kill();
  process.exit(code);
});
