/** The built client in dist/: built when something that goes into it has changed. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { installed, ROOT } from './paths.mjs';
import { run } from './run.mjs';
import { findRuntime, runtimeEnv } from './runtime.mjs';
import { SetupError, step } from './say.mjs';
import { hashOf, stamps } from './stamp.mjs';

/** Whatever can change a byte of dist/. What does not exist counts as that. */
const INPUTS = [
  'client',
  'crypto',
  'index.html',
  'package-lock.json',
  'patches',
  'project.inlang/settings.json',
  'signal/protocol',
  'svelte.config.js',
  'tsconfig.json',
  'vite.config.ts',
];

/** Made by the build itself, from client/messages. */
const TEXTS = 'client/paraglide';

const OUTPUTS = ['dist/index.html', TEXTS];

/** Whether dist/ was built of what is there now. */
export function isClientCurrent(hash = inputs()) {
  return stamps.isCurrent('client', hash) && OUTPUTS.every((path) => existsSync(join(ROOT, path)));
}

const inputs = () => hashOf(INPUTS, { without: [TEXTS] });

/** Builds the client if it has to be. Needs the dependencies. */
export async function ensureClient() {
  const hash = inputs();
  if (isClientCurrent(hash)) return;
  await step('Building the client', async () => {
    const vite = installed('vite', 'bin', 'vite.js');
    const { code, output } = await run(findRuntime(), [vite, 'build', '--logLevel', 'warn'], { env: runtimeEnv() });
    if (code !== 0) throw new SetupError(`The client could not be built:\n${output}`);
  });
  // Hashed before: a file that somebody saved during the build makes the next start build again.
  stamps.remember('client', hash);
}
