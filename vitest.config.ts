/**
 * Two projects: everything that runs in a process, two files at a time; then the browsers, one file at a time, because
 * what they show depends on timing and the machine may have two cores.
 */
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { configDefaults, defineConfig } from 'vitest/config';

/** Long seeded walks run by `npm run soak` only; tests that scale themselves read the same variable. */
const isSoak = Boolean(process.env['PARLEY_SOAK']);
const soak = 'tests/soak/**/*.test.ts';
const e2e = 'tests/e2e/**/*.test.ts';

export default defineConfig({
  // Rune modules (*.svelte.ts) are compiled as they are for the browser.
  plugins: [svelte()],
  test: {
    pool: 'forks',
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['tests/**/*.test.ts'],
          exclude: [...configDefaults.exclude, e2e, ...(isSoak ? [] : [soak])],
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
          name: 'e2e',
          include: [e2e],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
