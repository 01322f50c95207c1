/** The project's shape, enforced by reading it: who imports whom, and what must not stand in any tracked file. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { undocumentedIn } from './architecture/docstrings.ts';
import { barrelsIn, cycleIn, violationsIn } from './architecture/rules.ts';

const root = join(import.meta.dirname, '..');

/** Files that git has or would take, so that a new one counts before it is added. */
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root })
  .toString()
  .split('\n')
  .filter((path) => path !== '' && existsSync(join(root, path)));

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const isSource = (path: string): boolean => /\.(ts|svelte)$/.test(path) && !path.endsWith('.d.ts');
const sources = new Map(tracked.filter(isSource).map((path) => [path, read(path)]));
const shipped = new Map([...sources].filter(([path]) => /^(crypto|signal|relay|client)\//.test(path)));

describe('the project', () => {
  test('imports only along the directions of the design', () => {
    expect(violationsIn(shipped)).toEqual([]);
  });

  test('has no import cycles', () => {
    expect(cycleIn(sources)).toBeNull();
  });

  test('has no barrels: import the module that owns the thing', () => {
    expect(barrelsIn(sources)).toEqual([]);
  });

  test('says of every function that crypto/ exports what its signature cannot', () => {
    const mute = [...shipped].flatMap(([path, text]) =>
      path.startsWith('crypto/') ? undocumentedIn(text).map((name) => `${path}: ${name}`) : [],
    );
    expect(mute).toEqual([]);
    expect(undocumentedIn('/** Adds. */\nexport function add() {}\nexport async function mute() {}')).toEqual(['mute']);
  });

  test('names no path of a developer’s machine and no package registry', () => {
    // In pieces, so that this file does not name them either.
    const machine = ['/wo' + 'rk/', '/fa' + 'rm/', '/tmp/' + 'plan', '/ro' + 'ot/', '/home/' + '\\w'].join('|');
    const hosts = ['registry\\.npm' + 'js', 'registry\\.yarn' + 'pkg', 'deb\\.deb' + 'ian\\.org'].join('|');
    const pattern = new RegExp(`(^|[\\s'"\`(=:])(${machine})|${hosts}`, 'm');
    const isText = (path: string): boolean =>
      statSync(join(root, path)).size < 2_000_000 && !/\.(png|ico|woff2)$/.test(path);
    expect(tracked.filter((path) => isText(path) && pattern.test(read(path)))).toEqual([]);
  });

  test('locks packages by hash, not by the place they were loaded from', () => {
    const lock = JSON.parse(read('package-lock.json')) as {
      packages: Record<string, { resolved?: string; integrity?: string }>;
    };
    const entries = Object.entries(lock.packages).filter(([name]) => name !== '');
    expect(entries.filter(([, entry]) => entry.resolved !== undefined)).toEqual([]);
    expect(entries.filter(([, entry]) => !entry.integrity?.startsWith('sha512-'))).toEqual([]);
  });
});

/** Violations of one planted file. */
const plant = (path: string, text: string): string[] => violationsIn(new Map([[path, text]]));

describe('the checker notices', () => {
  test.each([
    ['crypto/a.ts', "import { readFileSync } from 'node:fs';"],
    ['crypto/a.ts', "import { encode } from '../signal/protocol/wire.ts';"],
    ['crypto/a.ts', 'export const a = window.crypto;'],
    ['crypto/a.ts', 'export const load = () => fetch("/");'],
    ['signal/protocol/a.ts', "import { z } from 'zod';"],
    ['signal/protocol/a.ts', "import { log } from '../log.ts';"],
    ['signal/meeting/service.ts', "import { open } from '../../crypto/envelope.ts';"],
    ['signal/meeting/service.ts', "import type { Bytes } from '../../crypto/bytes.ts';"],
    ['signal/ws/session.ts', "import { startRelay } from '../../relay/workers.ts';"],
    ['relay/room.ts', "import { open } from '../signal/store/open.ts';"],
    ['client/e2ee/keeper.ts', "import { rpc } from '../net/rpc.ts';"],
    ['client/net/rpc.ts', "import { random } from '../../crypto/primitives.ts';"],
    ['client/net/rpc.ts', "const { seal } = await import('../../crypto/sframe.ts');"],
    ['client/net/rpc.ts', "type Bytes = import('../../crypto/bytes.ts').Bytes;"],
    ['client/transport/mesh.ts', "import { createKeeper } from '../e2ee/keeper.ts';"],
    ['client/transport/mesh.ts', "const url = new URL('../e2ee/worker.ts', import.meta.url);"],
    [
      'client/screens/Lobby.svelte',
      '<script lang="ts">\nimport { call } from \'../net/rpc.ts\';\n</script>\n<p>hello</p>',
    ],
    ['client/ui/Tile.svelte', "<script>import { port } from '../e2ee/port.ts';</script>"],
    ['client/meeting/machine.ts', "import { nanoid } from 'nanoid';"],
    ['client/meeting/machine.ts', 'export const now = () => Date.now();'],
    ['signal/meeting/room.ts', "import { randomBytes } from 'node:crypto';"],
    ['signal/meeting/room.ts', 'export const later = () => setTimeout(() => {}, 1);'],
    ['client/net/api.ts', "import { fakeServer } from '../../tests/support/fakeServer.ts';"],
  ])('%s with: %s', (path, text) => {
    expect(plant(path, text)).toHaveLength(1);
  });

  test('a core that reaches the clock through another module', () => {
    const sources = new Map([
      ['client/meeting/machine.ts', "import { steps } from './steps.ts';\nimport type { Rpc } from '../net/rpc.ts';"],
      ['client/meeting/steps.ts', "import { wait } from './wait.ts';\nexport const steps = [wait];"],
      ['client/meeting/wait.ts', 'export const wait = () => setTimeout(() => {}, 1);'],
      ['client/net/rpc.ts', 'export const call = () => fetch("/");'],
    ]);
    expect(violationsIn(sources)).toEqual([expect.stringContaining('client/meeting/wait.ts uses setTimeout')]);
  });

  test('a cycle, also one of types', () => {
    const cycle = cycleIn(
      new Map([
        ['client/a.ts', "import { b } from './b.ts';"],
        ['client/b.ts', "import type { C } from './c.ts';"],
        ['client/c.ts', "export * as a from './a.ts';"],
      ]),
    );
    expect(cycle).toEqual(['client/a.ts', 'client/b.ts', 'client/c.ts', 'client/a.ts']);
  });

  test('a barrel, and none in a module that also has something of its own', () => {
    const sources = new Map([
      ['client/index.ts', "export { a } from './a.ts';\nexport { b } from './b.ts';"],
      ['client/all.ts', "export * from './a.ts';\nexport const own = 1;"],
      ['client/own.ts', "export type { A } from './a.ts';\nexport const own = 1;"],
    ]);
    expect(barrelsIn(sources)).toEqual(['client/index.ts', 'client/all.ts']);
  });
});

describe('the checker accepts', () => {
  test.each([
    ['crypto/sframe.ts', "import { concat } from './bytes.ts';\nexport const window = 64;"],
    ['signal/protocol/ids.ts', "import * as z from 'zod/mini';"],
    ['signal/relay/open.ts', "import { startRelay } from '../../relay/workers.ts';"],
    ['signal/http/meetings.ts', "import { createHash } from 'node:crypto';\nimport { ids } from '../protocol/ids.ts';"],
    ['client/e2ee/keeper.ts', "import { Keyring } from '../../crypto/keyring.ts';"],
    ['client/transport/mesh.ts', "import { createPort } from '../e2ee/port.ts';"],
    ['client/e2ee/port.ts', "import url from './worker.ts?worker&url';"],
    [
      'client/screens/Lobby.svelte',
      '<script lang="ts">import { meeting } from \'../meeting/meeting.svelte.ts\';</script>',
    ],
    ['client/meeting/machine.ts', "import type { Rpc } from '../net/rpc.ts';\nexport const at = (now: number) => now;"],
    ['signal/meeting/room.ts', "import { allows } from './permissions.ts';"],
  ])('%s with: %s', (path, text) => {
    expect(plant(path, text)).toEqual([]);
  });
});
