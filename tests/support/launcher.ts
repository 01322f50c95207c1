/**
 * The program that starts a test's Chromium where several share the cores.
 *
 * As root Chromium gives its media threads real-time and raised priorities. With five of them on two cores the pages' own threads then
 * stand still for seconds, which no person's does; with two or three the raised ones recover sooner, and are left as they are.
 */
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SETPRIV = '/usr/bin/setpriv';

let folder: string | null = null;
const known = new Map<string, string>();

/** How a browser shares the cores with others. */
export interface Sharing {
  /** As on a person's computer: no thread of it goes before another's. */
  ordinary?: boolean;
  /** It leaves the cores to whoever else wants them: somebody who is not looked at, and whose computer would be another. */
  yielding?: boolean;
}

/** @returns path of the program to start instead */
export function launcherOf(program: string, { ordinary = false, yielding = false }: Sharing = {}): string {
  const words: string[] = [];
  if (ordinary && process.getuid?.() === 0 && existsSync(SETPRIV)) {
    words.push(SETPRIV, '--bounding-set', '-sys_nice', '--inh-caps', '-sys_nice');
  }
  if (yielding) words.push('nice', '-n', '10');
  if (words.length === 0) return program;
  const command = [...words, program].join(' ');
  let path = known.get(command);
  if (path === undefined) {
    path = join((folder ??= makeFolder()), `chromium${known.size}`);
    writeFileSync(path, `#!/bin/sh\nexec ${command} "$@"\n`);
    chmodSync(path, 0o755);
    known.set(command, path);
  }
  return path;
}

function makeFolder(): string {
  const made = mkdtempSync(join(tmpdir(), 'parley-launcher-'));
  process.once('exit', () => rmSync(made, { recursive: true, force: true }));
  return made;
}
