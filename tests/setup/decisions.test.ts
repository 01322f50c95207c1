/** The small decisions of the set-up: which Node, which packages, which numbers. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CHECKS } from '../../scripts/setup/checks.mjs';
import { countResults, formatCounts } from '../../scripts/setup/counts.mjs';
import { matchesLock } from '../../scripts/setup/dependencies.mjs';
import { nodeComplaint } from '../../scripts/setup/nodeVersion.mjs';
import { systemPath } from '../../scripts/setup/paths.mjs';
import { runsTypeScript } from '../../scripts/setup/runtime.mjs';
import { SOAKS } from '../../scripts/setup/soaks.mjs';
import { findTool, TOOLS, which } from '../../scripts/setup/testTools.mjs';

describe('Node', () => {
  test('older than 20 is refused with what to do about it', () => {
    expect(nodeComplaint('18.20.4')).toMatch(/needs Node\.js 20 or newer.*18\.20\.4.*Install/s);
    expect(nodeComplaint('9.0.0')).not.toBeNull();
  });

  test.each(['20.0.0', '22.3.1', '24.21.0', '100.0.0'])('%s can set Parley up', (version) => {
    expect(nodeComplaint(version)).toBeNull();
  });

  test.each([
    ['20.20.2', false],
    ['22.17.1', false],
    ['22.18.0', true],
    ['23.5.0', false],
    ['23.6.0', true],
    ['24.0.0', true],
  ])('%s runs TypeScript by itself: %s', (version, expected) => {
    expect(runsTypeScript(version)).toBe(expected);
  });

  test('npm is looked for beside the system’s Node, not in node_modules that it is about to remove', () => {
    expect(systemPath('/a/node_modules/.bin:/usr/bin:/b/node_modules/.bin/:/bin')).toBe('/usr/bin:/bin');
  });
});

describe('node_modules', () => {
  const a = { version: '1.0.0', integrity: 'sha512-a' };
  const lock = (packages: object): { packages: object } => ({ packages });
  const wanted = lock({ '': {}, 'node_modules/a': a, 'node_modules/mac': { ...a, optional: true } });

  test('is complete without the optional packages of other systems', () => {
    expect(matchesLock(wanted, lock({ 'node_modules/a': a }))).toBe(true);
  });

  test.each([
    ['a package is missing', {}],
    ['a version differs', { 'node_modules/a': { ...a, version: '1.0.1' } }],
    ['the content differs', { 'node_modules/a': { ...a, integrity: 'sha512-b' } }],
    ['there is a package too many', { 'node_modules/a': a, 'node_modules/b': a }],
    [
      'an optional package has another version',
      { 'node_modules/a': a, 'node_modules/mac': { ...a, version: '2.0.0' } },
    ],
  ])('is installed anew when %s', (_, found) => {
    expect(matchesLock(wanted, lock(found))).toBe(false);
  });
});

describe('the closing line', () => {
  const file = (status: string, ...statuses: string[]): object => ({
    status,
    assertionResults: statuses.map((each) => ({ status: each })),
  });

  test('counts tests by what became of them', () => {
    const results = {
      testResults: [
        file('passed', 'passed', 'passed', 'skipped'),
        file('failed', 'failed', 'passed', 'todo', 'pending'),
      ],
    };
    expect(formatCounts(countResults(results))).toBe('3 passed, 1 failed, 3 skipped');
  });

  test('counts a file that does not load as one failure', () => {
    expect(countResults({ testResults: [file('failed'), file('passed', 'passed')] })).toEqual({
      passed: 1,
      failed: 1,
      skipped: 0,
    });
  });
});

describe('a tool of the tests', () => {
  const tool = { name: 'Shell', variable: 'PARLEY_SHELL', commands: ['no-such-shell', 'sh'], packages: ['dash'] };

  test('is the first command that exists', () => {
    expect(which(['no-such-shell', 'sh'], '/usr/bin:/bin')).toMatch(/\/bin\/sh$/);
    expect(which(['no-such-shell'], '/usr/bin:/bin')).toBeNull();
    expect(findTool(tool, { PATH: '/usr/bin:/bin' })).toMatch(/\/bin\/sh$/);
  });

  test('that somebody has named is that one, or an error that says which variable is wrong', () => {
    expect(findTool(tool, { PATH: '', PARLEY_SHELL: '/bin/sh' })).toBe('/bin/sh');
    expect(() => findTool(tool, { PATH: '/bin', PARLEY_SHELL: '/nowhere/sh' })).toThrow('PARLEY_SHELL is /nowhere/sh');
  });
});

describe('what the commands run', () => {
  const root = join(import.meta.dirname, '../..');
  const read = (path: string): string => readFileSync(join(root, path), 'utf8');
  const tests = readdirSync(join(root, 'tests'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts') && path !== 'setup/decisions.test.ts')
    .map((path) => `tests/${path}`);

  test('npm run check has all that the design names', () => {
    const said = /`npm run check` \(([^)]+)\)/.exec(read('docs/design.md'))![1]!;
    expect(CHECKS.map(({ name }) => name)).toEqual(expect.arrayContaining(said.split(/,\s+/)));
  });

  test('npm run soak has the tests that try more seeds in a soak, and no others', () => {
    const honours = (path: string): boolean => /process\.env\['PARLEY_SOAK'\]|from '\.\/random\.ts'/.test(read(path));
    expect([...SOAKS].sort()).toEqual(tests.filter(honours).sort());
  });

  test('npm test sees to the programs that its tests start', () => {
    const started = tests.flatMap((path) => [...read(path).matchAll(/(?:execFileSync|spawnSync)\(\s*'([a-z+]+)'/g)]);
    // git and sh are there wherever there is a clone; tests of the compiler are skipped without one.
    const programs = new Set(started.map((match) => match[1]!).filter((name) => !['git', 'sh', 'g++'].includes(name)));
    expect(programs).toContain('openssl');
    expect(TOOLS.flatMap(({ commands }) => commands)).toEqual(expect.arrayContaining([...programs]));
  });
});
