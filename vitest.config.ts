/**
 * Three projects: everything that runs in a process, two files at a time; then the browsers, one file at a time, because
 * what they show depends on timing and the machine may have two cores. Last those in which a single failure is a fault.
 */
import { stripTypeScriptTypes } from 'node:module';
import { compileModule } from 'svelte/compiler';
import { configDefaults, defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import type { Plugin } from 'vite';

/** `npm run soak`: seeded tests try many more seeds. */
const isSoak = Boolean(process.env['PARLEY_SOAK']);
const browsers = ['tests/e2e/**/*.test.ts', 'tests/**/*.browser.test.ts'];
/** What these promise holds always: a frame that could not be opened, or could be, once in two tries is one too many. */
const noSecondTry = [
  'access',
  'comeAndGo',
  'hostileCommits',
  'hostileServer',
  'removed',
  'unsealed',
  'whatTheServerHears',
].map((name) => `tests/e2e/${name}.test.ts`);

/** Of those that run two at a time, what takes longest: first, so that neither has to wait for the other in the end. */
const longest = [
  'client/ui/states',
  'crypto/groupWalk',
  'client/chat/walk',
  'client/ui/behaviour',
  'client/ui/build',
  'client/ui/gallery',
  'fuzz/wire',
  'client/ui/floating',
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

const inBrowsers = { fileParallelism: false, testTimeout: 120_000, hookTimeout: 120_000 };

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
          name: 'e2e',
          include: browsers,
          exclude: [...configDefaults.exclude, ...noSecondTry],
          // Calls in real time on machines that CI shares with others: what fails twice is a fault.
          retry: process.env['CI'] ? 1 : 0,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: { ...inBrowsers, name: 'privacy', include: noSecondTry, retry: 0, sequence: { groupOrder: 2 } },
      },
    ],
  },
});
