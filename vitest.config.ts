/**
 * Two files at a time, since the machine may have two cores: everything that runs in a process, and those with browsers that wait for
 * things to happen rather than measure how long they take. Then, one file at a time, the browsers whose timing is what is shown. Then,
 * two at a time again, calls beside calls. Last, one at a time, those in which a single failure is a fault, and a busy machine may be one.
 */
import { stripTypeScriptTypes } from 'node:module';
import { compileModule } from 'svelte/compiler';
import { configDefaults, defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import type { Plugin } from 'vite';

/** `npm run soak`: seeded tests try many more seeds. */
const isSoak = Boolean(process.env['PARLEY_SOAK']);
const browsers = ['tests/e2e/**/*.test.ts', 'tests/**/*.browser.test.ts'];
const inE2e = (name: string): string => `tests/e2e/${name}.test.ts`;
/**
 * What these promise holds always: a frame that could not be opened, or could be, or a message that was lost, once in two tries is one too many. Those for themselves
 * count frames that came too late for their key, which a busy machine makes, too.
 */
const noSecondTry = {
  alone: ['comeAndGo', 'hostileCommits', 'removed'].map(inE2e),
  together: ['access', 'chatKilled', 'hostileServer', 'unsealed', 'whatTheServerHears'].map(inE2e),
};
/** What these show is how long something takes, or what a browser has time for: nothing else may run meanwhile. */
const timed = ['badLines', 'badLinesNarrow', 'crowd', 'networks', 'outages', 'reconnect', 'relay', 'relayTap'].map(
  inE2e,
);
/** What happens within seconds also beside another of these, which mostly wait; not beside what computes. */
const unhurried = [inE2e('chatDirect'), 'tests/client/transport/*.browser.test.ts'];

/** Of those that run two at a time, what takes longest: first, so that neither has to wait for the other in the end. */
const longest = [
  'e2e/unsealed',
  'e2e/chatDirect',
  'client/transport/contract.browser',
  'e2e/hostileServer',
  'client/ui/states',
  'client/chat/walk',
  'client/chat/walkOn',
  'client/ui/behaviour',
  'crypto/groupWalk',
  'client/ui/chat.browser',
  'e2e/devices',
  'e2e/firefox',
  'client/ui/build',
  'e2e/onlyRelay',
  'e2e/browserFacts',
  'client/ui/gallery',
  'e2e/meet',
  'e2e/offline',
  'fuzz/wire',
  'e2e/surface',
  'client/ui/floating',
  'client/chat/walkNewcomers',
  'e2e/wiretap',
  'signal/process',
  'scenario/randomWalk',
  'scenario/realServer',
].map((name) => `/tests/${name}.test.ts`);

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rankOf = ({ moduleId }: TestSpecification): number => {
      const rank = longest.findIndex((name) => moduleId.endsWith(name));
      return rank < 0 ? longest.length : rank;
    };
    return (await super.sort(files)).sort((one, other) => rankOf(one) - rankOf(other));
  }
}

/**
 * Rune modules (*.svelte.ts) as the browser has them. Svelte's own plugin sees Node and compiles them for a server, where
 * effects never run; components need a browser anyway, and are tested in one.
 */
const runes: Plugin = {
  name: 'parley:runes',
  enforce: 'pre',
  transform(code, id) {
    const filename = id.replace(/\?.*$/, '');
    if (!filename.endsWith('.svelte.ts')) return null;
    return compileModule(stripTypeScriptTypes(code), { filename, generate: 'client' }).js;
  },
};

const svelteForBrowsers = [
  { find: /^svelte$/, replacement: 'svelte/src/index-client.js' },
  { find: /^svelte\/reactivity$/, replacement: 'svelte/src/reactivity/index-client.js' },
].map(({ find, replacement }) => ({ find, replacement: `${import.meta.dirname}/node_modules/${replacement}` }));

const inBrowsers = { testTimeout: 120_000, hookTimeout: 120_000 };
const alone = { ...inBrowsers, fileParallelism: false };
const twoAtATime = { ...inBrowsers, maxWorkers: 2 };
/** Calls in real time on machines that CI shares with others: what fails twice is a fault. */
const secondTry = { retry: process.env['CI'] ? 1 : 0 };

export default defineConfig({
  plugins: [runes],
  resolve: { alias: svelteForBrowsers },
  test: {
    pool: 'forks',
    globalSetup: ['tests/support/scratch.ts'],
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['tests/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...browsers],
          maxWorkers: 2,
          // Generous: a machine that is busy elsewhere is not a fault of ours.
          testTimeout: isSoak ? 1_800_000 : 20_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          ...inBrowsers,
          ...secondTry,
          name: 'e2e',
          include: browsers,
          exclude: [...configDefaults.exclude, ...Object.values(noSecondTry).flat(), ...timed, ...unhurried],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { ...alone, ...secondTry, name: 'timed', include: timed, sequence: { groupOrder: 1 } },
      },
      {
        extends: true,
        test: { ...twoAtATime, ...secondTry, name: 'unhurried', include: unhurried, sequence: { groupOrder: 2 } },
      },
      {
        extends: true,
        test: { ...twoAtATime, retry: 0, name: 'privacy', include: noSecondTry.together, sequence: { groupOrder: 2 } },
      },
      {
        extends: true,
        test: { ...alone, retry: 0, name: 'privacyAlone', include: noSecondTry.alone, sequence: { groupOrder: 3 } },
      },
    ],
  },
});
