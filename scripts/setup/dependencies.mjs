/**
 * The npm packages, exactly as the lock file has them, and our patches to them.
 *
 * Install scripts never run: one package only has such a script, mediasoup, and it downloads (relayWorker.mjs does that
 * in its own time). `allowScripts` in package.json says so to npm 11; npm 10, which comes with Node 20, ignores it.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { installed, ROOT, systemPath } from './paths.mjs';
import { run } from './run.mjs';
import { SetupError, say, step } from './say.mjs';
import { hashOf, stamps } from './stamp.mjs';

/**
 * Whether node_modules holds what the lock file asks for, judged by the list that npm leaves there when it is done: so
 * an installation that somebody made by hand is as good as ours, and an interrupted one is none.
 * @param wanted  parsed package-lock.json
 * @param found   parsed node_modules/.package-lock.json
 */
export function matchesLock(wanted, found) {
  const names = Object.keys(wanted.packages).filter((name) => name !== '');
  const missing = names.some((name) => {
    const want = wanted.packages[name];
    const have = found.packages[name];
    // Packages for other systems are optional, and not here.
    if (!have) return !want.optional;
    return have.version !== want.version || have.integrity !== want.integrity;
  });
  return !missing && Object.keys(found.packages).every((name) => name in wanted.packages);
}

/** Whether node_modules holds what the lock file asks for. */
export function areInstalled() {
  try {
    const read = (path) => JSON.parse(readFileSync(path, 'utf8'));
    return matchesLock(read(join(ROOT, 'package-lock.json')), read(installed('.package-lock.json')));
  } catch {
    return false;
  }
}

async function install() {
  await step('Installing Parley’s dependencies (about half a minute)', async () => {
    const { code } = await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
      // mediasoup's script does nothing when it is given a binary, whatever npm makes of the flag above.
      env: { PATH: systemPath(), MEDIASOUP_WORKER_BIN: '-' },
      stdio: 'inherit',
    });
    if (code === 127) throw new SetupError('npm was not found. It comes with Node.js; on Debian: apt-get install npm');
    if (code !== 0) throw new SetupError('npm could not install the dependencies: the reason stands above.');
  });
}

/** Asked every time, because a hand-made `npm install` may bring a package back as it came: patch-package is quick. */
async function applyPatches() {
  const { code, output } = await run(process.execPath, [installed('patch-package', 'index.js'), '--error-on-fail']);
  return { ok: code === 0, output };
}

/** Makes node_modules what the lock file and patches/ ask for. Quick when it is. */
export async function ensureDependencies() {
  const hash = hashOf(['patches']);
  // A patch that has changed, or is gone, can only be taken back by starting from the package as it came.
  if (!areInstalled() || stamps.isOther('patches', hash)) await install();
  if (existsSync(join(ROOT, 'patches'))) {
    let patched = await applyPatches();
    if (!patched.ok) {
      say('A package is not as its patch expects it.');
      await install();
      patched = await applyPatches();
    }
    if (!patched.ok) throw new SetupError(`A patch in patches/ does not apply:\n${patched.output}`);
  }
  stamps.remember('patches', hash);
}
