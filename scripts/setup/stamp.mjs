/**
 * Stamps: what a step of the set-up was done with, so that it is done again only when that has changed.
 *
 * A stamp is the hash of the step's inputs, written after the step has succeeded. Interrupted steps leave none.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, STATE } from './paths.mjs';

/**
 * Hash over names and contents of files and folders. What does not exist counts as such, so that making or deleting a
 * file changes the hash.
 * @param {string[]} paths  relative to `root`; order does not matter
 * @param {{without?: string[], root?: string}} [options]  `without`: paths, relative to `root`, that are left out with
 *   all below them: what the step itself makes
 */
export function hashOf(paths, { without = [], root = ROOT } = {}) {
  const hash = createHash('sha256');
  const visit = (path) => {
    if (without.includes(path)) return;
    const found = statSync(join(root, path), { throwIfNoEntry: false });
    if (found?.isDirectory()) {
      for (const name of readdirSync(join(root, path)).sort()) visit(`${path}/${name}`);
    } else {
      // Lengths between name and content: no two lists of files give the same bytes.
      const content = found ? readFileSync(join(root, path)) : '';
      hash.update(`${path}\0${found ? content.length : 'missing'}\0`).update(content);
    }
  };
  [...paths].sort().forEach(visit);
  return hash.digest('hex');
}

/** The stamps kept in one folder. */
export function stampsIn(folder) {
  const file = (name) => join(folder, `${name}.stamp`);
  const read = (name) => {
    try {
      return readFileSync(file(name), 'utf8');
    } catch {
      return null;
    }
  };
  return {
    /** Whether the step was last done with exactly these inputs. */
    isCurrent: (name, hash) => read(name) === hash,
    /** Whether the step was last done with other inputs: false also where it was never done. */
    isOther: (name, hash) => read(name) !== null && read(name) !== hash,
    /** Remembers that the step has been done. Renamed into place: a stamp is whole or not there. */
    remember(name, hash) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(`${file(name)}.part`, hash);
      renameSync(`${file(name)}.part`, file(name));
    },
  };
}

export const stamps = stampsIn(STATE);
