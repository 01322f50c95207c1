/** Lint: only rules that find mistakes. Format is prettier's matter, unused exports are knip's. */
import svelte from 'eslint-plugin-svelte';
import ts from 'typescript-eslint';

const CRYPTO_ONLY =
  'Math.random can be guessed. Use crypto.getRandomValues, or pass `random` in where tests want a seed.';

export default ts.config(
  { ignores: ['node_modules/', 'dist/', 'data/', 'coverage/', '.cache/', 'client/paraglide/'] },
  ...ts.configs.recommended,
  ...svelte.configs.recommended,
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: ['error', 'always'],
      'no-eval': 'error',
      'no-restricted-properties': ['error', { object: 'Math', property: 'random', message: CRYPTO_ONLY }],
      'prefer-const': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      // `_` says on purpose; what a catch or a destructuring leaves over need not be named.
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
    },
  },
  {
    // Those that need types: a promise nobody waits for is where errors vanish.
    files: ['**/*.ts', '**/*.svelte'],
    languageOptions: {
      // The same everywhere, or the type checker starts anew for each kind of file.
      parserOptions: {
        projectService: true,
        extraFileExtensions: ['.svelte'],
      },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser } },
    rules: {
      // Knows that $props and $derived are declared with `let`.
      'prefer-const': 'off',
      'svelte/prefer-const': 'error',
    },
  },
  {
    // What goes to a browser's console can be read by whoever sits there next, and ends in screenshots.
    files: ['client/**', 'crypto/**'],
    rules: { 'no-console': 'error' },
  },
  {
    files: ['tests/**'],
    rules: { 'no-restricted-properties': 'off', '@typescript-eslint/no-non-null-assertion': 'off' },
  },
);
