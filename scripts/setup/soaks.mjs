/** The tests that live longer with PARLEY_SOAK=1, by more seeds: what `npm run soak` runs. None of them needs a browser. */
export const SOAKS = [
  'tests/crypto/groupWalk.test.ts',
  'tests/fuzz/room.test.ts',
  'tests/fuzz/wire.test.ts',
  'tests/scenario/randomWalk.test.ts',
];
