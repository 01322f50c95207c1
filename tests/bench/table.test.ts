/** What `npm run bench -- --write` makes of docs/benchmarks.md. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Stored } from './table.ts';
import { withTables } from './table.ts';

const page = readFileSync(new URL('../../docs/benchmarks.md', import.meta.url), 'utf8');
const rowsOf = (text: string): number[] => [...text.matchAll(/^### (\d+)\./gm)].map((match) => Number(match[1]));

const report = (row: number, ours: number): Stored => ({
  row,
  title: `Row ${row}`,
  rounds: 5,
  checked: ['it happened'],
  figures: [{ what: 'it', unit: 'ms', ours, other: null, ratio: null, against: '', target: '≤ 9 ms', met: ours <= 9 }],
  machine: {
    at: '2026-01-02T03:04:05Z',
    commit: 'abc',
    changed: false,
    cpu: 'C',
    memoryGiB: 1,
    system: 'S',
    node: 'N',
  },
});

test('one new result changes its own row, and leaves the others as they stand', () => {
  const next = withTables(page, [report(5, 8)]);
  expect(rowsOf(next)).toEqual(rowsOf(page));
  expect(next).toContain('### 5. Row 5\n\n| what |');
  expect(next).toContain('| it | 8 ms |  |  |  | ≤ 9 ms | met |');
  const without5 = (text: string): string => text.replace(/^### 5\.[\s\S]*?(?=^### )/m, '');
  expect(without5(next)).toBe(without5(page));
});

test('a row that is new comes in at its number', () => {
  const rows = [...new Set([...rowsOf(page), 17])].sort((a, b) => a - b);
  expect(rowsOf(withTables(page, [report(17, 10)]))).toEqual(rows);
});

test('writing the same again changes nothing', () => {
  const once = withTables(page, [report(5, 8), report(17, 10)]);
  expect(withTables(once, [report(17, 10), report(5, 8)])).toBe(once);
});

test('a page without results gets them between its marks', () => {
  const bare = withTables(page, []).replace(/(<!-- results[^\n]*-->)[\s\S]*(<!-- end of results -->)/, '$1\n$2');
  expect(rowsOf(withTables(bare, [report(2, 1), report(1, 1)]))).toEqual([1, 2]);
});

test('a table that follows from the figures stands below them', () => {
  const tables = [{ title: 'What follows', head: ['people', 'meetings'], rows: [['5', '20']] }];
  const next = withTables(page, [{ ...report(5, 8), tables }]);
  expect(next).toContain(
    'Checked: it happened.\n\nWhat follows:\n\n| people | meetings |\n| ---: | ---: |\n| 5 | 20 |\n',
  );
});
