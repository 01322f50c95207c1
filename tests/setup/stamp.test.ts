import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hashOf, stampsIn } from '../../scripts/setup/stamp.mjs';

let root: string;
const write = (path: string, text: string): void => {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), text);
};
const hash = (without: string[] = []): string => hashOf(['client', 'vite.config.ts'], { without, root });

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'parley-stamp-'));
  write('client/main.ts', 'one');
  write('client/ui/Tile.svelte', 'two');
});
afterEach(() => rmSync(root, { recursive: true }));

describe('the hash of a step’s inputs', () => {
  test('stays the same while nothing changes', () => {
    expect(hash()).toBe(hash());
  });

  test.each<[string, () => void]>([
    ['a file’s content', () => write('client/ui/Tile.svelte', 'three')],
    ['a new file', () => write('client/ui/Menu.svelte', '')],
    ['a deleted file', () => rmSync(join(root, 'client/main.ts'))],
    ['a file that did not exist before', () => write('vite.config.ts', '')],
    [
      'the same bytes split differently between two files',
      () => {
        write('client/main.ts', 'on');
        write('client/ui/Tile.svelte', 'etwo');
      },
    ],
  ])('changes with %s', (_, change) => {
    const before = hash();
    change();
    expect(hash()).not.toBe(before);
  });

  test('does not change with what the step itself makes', () => {
    const before = hash(['client/paraglide']);
    write('client/paraglide/messages.js', 'generated');
    expect(hash(['client/paraglide'])).toBe(before);
    expect(hash()).not.toBe(before);
  });
});

describe('a stamp', () => {
  test('is current for the hash it was made with, and for no other', () => {
    const stamps = stampsIn(join(root, 'state'));
    expect(stamps.isCurrent('client', 'a')).toBe(false);
    expect(stamps.isOther('client', 'a')).toBe(false);
    stamps.remember('client', 'a');
    expect(stamps.isCurrent('client', 'a')).toBe(true);
    expect(stamps.isCurrent('client', 'b')).toBe(false);
    expect([stamps.isOther('client', 'a'), stamps.isOther('client', 'b')]).toEqual([false, true]);
    expect(stamps.isCurrent('patches', 'a')).toBe(false);
  });
});
