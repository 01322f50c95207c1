/** How the relay's worker comes about: what the server is told, and how sources become batches. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { progressOf, report } from '../../scripts/setup/relayWorker.mjs';
import { which } from '../../scripts/setup/testTools.mjs';

const root = join(import.meta.dirname, '../..');
const scripts = join(root, 'relay/worker');
const mediasoup = join(root, 'node_modules/mediasoup');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-worker-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('the status that the server shows', () => {
  const file = (): string => join(folder, 'state', 'status.json');
  const status = (): unknown => JSON.parse(readFileSync(file(), 'utf8'));

  test('says what is being done, and how far it is', () => {
    report('building', 'compiling', 0.5, file());
    expect(status()).toEqual({ state: 'building', detail: 'compiling', progress: 0.5 });
    report('ready', '/somewhere/mediasoup-worker', undefined, file());
    expect(status()).toMatchObject({ state: 'ready', progress: 1 });
    expect(readdirSync(join(folder, 'state'))).toEqual(['status.json']);
  });

  test('takes its progress from the build’s own lines, and from no other output', () => {
    expect(progressOf('progress 5/20')).toBe(0.25);
    expect(progressOf('progress 20/20')).toBe(1);
    expect(progressOf('g++ says: progress 5/20')).toBeNull();
    expect(progressOf('')).toBeNull();
  });
});

describe('the batches', () => {
  const included = (file: string): string[] =>
    [...readFileSync(file, 'utf8').matchAll(/#include "(.*)"/g)].map((match) => match[1] as string);
  const batch = (): string => join(folder, 'build', 'batch');
  const sort = (): Buffer =>
    execFileSync(join(scripts, 'batches.sh'), [join(mediasoup, 'worker'), join(folder, 'build')]);

  test('hold every source of the package exactly once, and the mended one instead of the original', () => {
    sort();
    const all = readdirSync(batch()).flatMap((name) => included(join(batch(), name)));
    const listed = readFileSync(join(mediasoup, 'worker/meson.build'), 'utf8').match(/^ +'src\/[^']+\.cpp'/gm) ?? [];
    const webrtc = readFileSync(join(mediasoup, 'worker/deps/libwebrtc/meson.build'), 'utf8').match(
      /'libwebrtc\/[^']+\.cc'/g,
    );
    expect(all).toHaveLength(new Set(listed.map((line) => line.trim())).size + 1 + (webrtc?.length ?? 0));
    expect(new Set(all).size).toBe(all.length);
    expect(all.filter((path) => basename(path) === 'DtlsTransport.cpp')).toEqual([
      join(folder, 'build/fixed/RTC/DtlsTransport.cpp'),
    ]);
    expect(all.filter((path) => path.endsWith('/src/main.cpp'))).toHaveLength(1);
  });

  test('keep sources apart that would clash', () => {
    sort();
    const apart = readFileSync(join(scripts, 'apart.txt'), 'utf8')
      .split('\n')
      .filter((line) => /^[a-z] /.test(line));
    for (const line of apart) {
      const [group, path] = line.split(' ') as [string, string];
      expect(included(join(batch(), `apart-${group}.cpp`)), line).toContain(join(mediasoup, 'worker', path));
    }
  });

  test('are not written again when they are the same, so that an interrupted build goes on', () => {
    sort();
    const times = (): number[] => readdirSync(batch()).map((name) => statSync(join(batch(), name)).mtimeMs);
    const before = times();
    sort();
    expect(times()).toEqual(before);
  });

  test.skipIf(which(['g++']) === null)('compile file by file where two sources clash, into one object', () => {
    const at = join(folder, 'clash');
    mkdirSync(join(at, 'batch'), { recursive: true });
    mkdirSync(join(at, 'object'));
    writeFileSync(join(at, 'one.cpp'), 'static int local() { return 1; }\nint one() { return local(); }\n');
    writeFileSync(join(at, 'two.cpp'), 'static int local() { return 2; }\nint two() { return local(); }\n');
    writeFileSync(join(at, 'batch/a.cpp'), `#include "${at}/one.cpp"\n#include "${at}/two.cpp"\n`);
    const object = join(at, 'object/a.o');
    const output = execFileSync(join(scripts, 'compile.sh'), [
      join(at, 'batch/a.cpp'),
      object,
      'g++',
      '-O0',
    ]).toString();
    expect(output).toBe('progress 1/1\n');
    writeFileSync(join(at, 'main.cpp'), 'int one(); int two();\nint main() { return 10 * one() + two(); }\n');
    execFileSync('g++', ['-o', join(at, 'main'), join(at, 'main.cpp'), object]);
    expect(spawnSync(join(at, 'main')).status).toBe(12);
    expect(readdirSync(join(at, 'object')).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  test.skipIf(which(['g++']) === null)('fail, with the compiler’s words, where a source is wrong', () => {
    const at = join(folder, 'wrong');
    mkdirSync(at);
    writeFileSync(join(at, 'wrong.cpp'), 'int wrong() { return nothing; }\n');
    writeFileSync(join(at, 'batch.cpp'), `#include "${at}/wrong.cpp"\n`);
    const { status, stderr } = spawnSync(join(scripts, 'compile.sh'), [join(at, 'batch.cpp'), join(at, 'a.o'), 'g++']);
    expect(status).not.toBe(0);
    expect(stderr.toString()).toContain('nothing');
    expect(readdirSync(at)).not.toContain('a.o');
  });
});

test('asked for the cache only, the build script answers 3 where it is empty, and builds nothing', () => {
  const { status } = spawnSync(join(scripts, 'build-worker.sh'), ['--cached', mediasoup], {
    env: { ...process.env, PARLEY_CACHE: join(folder, 'cache') },
  });
  expect(status).toBe(3);
  expect(readdirSync(folder)).not.toContain('cache');
});
