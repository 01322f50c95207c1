/** Where the set-up finds and keeps things. Everything it makes lies in node_modules/.parley or in the user's cache. */
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder. */
export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Stamps, logs and status of the set-up; vanishes with node_modules, and so never outlives what it speaks of. */
export const STATE = join(ROOT, 'node_modules', '.parley');

/** Kept between checkouts: the relay's worker. build-worker.sh has the same rule. */
export function cacheFolder(env = process.env) {
  return env.PARLEY_CACHE || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'parley');
}

/** A file of an installed package. */
export function installed(...path) {
  return join(ROOT, 'node_modules', ...path);
}

/**
 * PATH without node_modules/.bin. `npm run` puts that in front, and the `node` in it is the one that `npm ci` removes
 * while it runs.
 */
export function systemPath(path = process.env.PATH ?? '') {
  return path
    .split(delimiter)
    .filter((folder) => !/node_modules[\\/]\.bin[\\/]?$/.test(folder))
    .join(delimiter);
}
