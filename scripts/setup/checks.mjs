/** What `npm run check` runs once the client is built: each a script of a package, on Node 24. */
export const CHECKS = [
  {
    name: 'format',
    fix: 'npx prettier --write .',
    script: ['prettier', 'bin', 'prettier.cjs'],
    args: ['--check', '.'],
  },
  { name: 'lint', script: ['eslint', 'bin', 'eslint.js'], args: ['--max-warnings', '0', '.'] },
  { name: 'types', script: ['typescript', 'bin', 'tsc'], args: ['--noEmit'] },
  {
    name: 'components',
    script: ['svelte-check', 'bin', 'svelte-check'],
    args: ['--tsconfig', 'tsconfig.json', '--fail-on-warnings'],
  },
  { name: 'unused code', script: ['knip', 'bin', 'knip.js'], args: ['--no-progress'] },
  { name: 'architecture', script: ['vitest', 'vitest.mjs'], args: ['run', 'tests/architecture.test.ts'] },
];
