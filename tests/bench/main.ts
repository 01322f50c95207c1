/**
 * npm run bench: measures the rows that docs/benchmarks.md names, one after the other, never two at once.
 *
 * `npm run bench -- sealing` or `-- 1` runs one; `--rounds 5`, `--quick` (fewer repetitions, for trying a bench itself), `--empty-caches`
 * (row 25 loads everything anew), `--write` (the tables go into docs/benchmarks.md; rows without a new result stay there as they are).
 * Results also go to .cache/bench/ as JSON, with commit and machine. Never fails for slowness: only a correctness check that does not
 * hold, or a mistake, ends it with 1.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { cpu, joining, latency, newcomer } from './calls.ts';
import { chat } from './chat.ts';
import { crowdedCall } from './crowdedCall.ts';
import { entryBytes } from './entryBytes.ts';
import { firefox } from './firefox.ts';
import { firstPage } from './firstPage.ts';
import { overhead, sealing } from './frames.ts';
import { forwarding } from './forwarding.ts';
import { groups } from './groups.ts';
import { history } from './history.ts';
import { idle } from './idle.ts';
import { knee } from './knee.ts';
import type { Bench, Report } from './measure.ts';
import { outage } from './outage.ts';
import { reconnecting } from './outagePaths.ts';
import { relayJoining } from './relayJoining.ts';
import { removal } from './removal.ts';
import { sockets } from './sockets.ts';
import { starting } from './starting.ts';
import { switching } from './switching.ts';
import { tableOf, writeTables } from './table.ts';

const BENCHES: readonly Bench[] = [
  sealing,
  overhead,
  cpu,
  latency,
  joining,
  relayJoining,
  switching,
  forwarding,
  knee,
  crowdedCall,
  newcomer,
  removal,
  groups,
  reconnecting,
  outage,
  sockets,
  idle,
  chat,
  history,
  entryBytes,
  firstPage,
  firefox,
  starting,
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    quick: { type: 'boolean', default: false },
    'empty-caches': { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});

const chosen =
  positionals.length === 0
    ? BENCHES
    : BENCHES.filter((bench) => positionals.some((name) => name === bench.name || Number(name) === bench.row));
if (chosen.length === 0) {
  console.error(`No such bench. There are: ${BENCHES.map((bench) => `${bench.row} ${bench.name}`).join(', ')}`);
  process.exit(2);
}

const rounds = values.quick ? 1 : Math.max(3, Number(values.rounds) || 0);
const machine = {
  at: new Date().toISOString(),
  commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
  changed: execFileSync('git', ['status', '--porcelain', '-uno'], { encoding: 'utf8' }).trim() !== '',
  cpu: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  system: `${process.platform} ${release()}`,
  node: process.version,
};

const folder = new URL('../../.cache/bench/', import.meta.url);
mkdirSync(folder, { recursive: true });
let failed = false;
for (const bench of chosen) {
  console.log(`\n${bench.row}. ${bench.title}`);
  try {
    const result = await bench.run({
      rounds,
      quick: values.quick,
      emptyCaches: values['empty-caches'],
      say: (line) => console.log(`   ${line}`),
    });
    const report: Report = { row: bench.row, title: bench.title, rounds, ...result };
    console.log(tableOf(report));
    if (!values.quick)
      writeFileSync(new URL(`${bench.name}.json`, folder), JSON.stringify({ machine, ...report }, null, 2));
  } catch (error) {
    failed = true;
    console.error(`   failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }
}
if (values.write) writeTables(folder, new URL('../../docs/benchmarks.md', import.meta.url));
process.exit(failed ? 1 : 0);
