/** Reports as Markdown: for the terminal, and for docs/benchmarks.md between its two marks. */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import type { Figure, Report } from './measure.ts';

const BEGIN = '<!-- results: written by `npm run bench -- --write` -->';
const END = '<!-- end of results -->';

export interface Stored extends Report {
  machine: {
    at: string;
    commit: string;
    changed: boolean;
    cpu: string;
    memoryGiB: number;
    system: string;
    node: string;
  };
}

export function tableOf(report: Pick<Report, 'figures' | 'checked' | 'tables'>): string {
  const lines = report.figures.map((figure) => {
    const met = figure.met === null ? '' : figure.met ? 'met' : '**missed**';
    const cells = [
      figure.what,
      value(figure.ours, figure),
      value(figure.other, figure),
      figure.ratio === null ? '' : `${figure.ratio.toFixed(2)} ×`,
    ];
    return `| ${[...cells, figure.against, figure.target, met].join(' | ')} |`;
  });
  const head = [
    '| what | ours | other | ratio | against | target | |',
    '| --- | ---: | ---: | ---: | --- | --- | --- |',
  ];
  const more = (report.tables ?? []).flatMap(({ title, head, rows }) => [
    '',
    `${title}:`,
    '',
    `| ${head.join(' | ')} |`,
    `| ${head.map(() => '---:').join(' | ')} |`,
    ...rows.map((cells) => `| ${cells.join(' | ')} |`),
  ]);
  return [...head, ...lines, '', ...report.checked.map((check) => `Checked: ${check}.`), ...more].join('\n');
}

function value(number: number | null, { unit }: Figure): string {
  if (number === null) return '';
  const digits = Math.abs(number) >= 100 ? 0 : Math.abs(number) >= 10 ? 1 : 2;
  return `${Number(number.toFixed(digits)).toLocaleString('en')}${unit === '' ? '' : ` ${unit}`}`;
}

/** The page with every stored report in its place: newest run of each row. Rows without one stay as they stand. */
export function withTables(page: string, stored: readonly Stored[]): string {
  const [before, rest = ''] = page.split(BEGIN);
  const [present = '', after = '\n'] = rest.split(END);
  const sections = new Map(
    present
      .split(/^(?=### )/m)
      .filter((section) => section.startsWith('### '))
      .map((section) => [Number(/^### (\d+)\./.exec(section)?.[1]), section.trim()]),
  );
  for (const report of stored) sections.set(report.row, sectionOf(report));
  const sorted = [...sections].sort(([a], [b]) => a - b).map(([, section]) => section);
  return `${before}${BEGIN}\n\n${sorted.map((section) => `${section}\n\n`).join('')}${END}${after}`;
}

function sectionOf(report: Stored): string {
  const { at, commit, changed, cpu, memoryGiB, system, node } = report.machine;
  const where = `${at.slice(0, 10)}, commit ${commit}${changed ? ' with changes' : ''}, ${cpu}, ${memoryGiB} GiB, ${system}, Node ${node}, ${report.rounds} rounds`;
  return `### ${report.row}. ${report.title}\n\n${tableOf(report)}\n\n*${where}*`;
}

/** @param folder of the reports, `main.ts` writes them */
export function writeTables(folder: URL, page: URL): void {
  const stored = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Stored);
  const text = existsSync(page) ? readFileSync(page, 'utf8') : `# Benchmarks\n\n${BEGIN}\n${END}\n`;
  writeFileSync(page, withTables(text, stored));
}
