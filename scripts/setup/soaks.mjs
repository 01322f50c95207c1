/** The tests that live longer with PARLEY_SOAK=1, by more seeds: what `npm run soak` runs. The last needs a browser. */
export const SOAKS = [
  'tests/crypto/groupWalk.test.ts',
  'tests/fuzz/room.test.ts',
  'tests/fuzz/wire.test.ts',
  'tests/client/chat/outgoingKilled.test.ts',
  'tests/client/chat/walk.test.ts',
  'tests/client/chat/walkNewcomers.test.ts',
  'tests/client/chat/walkOn.test.ts',
  'tests/scenario/randomWalk.test.ts',
  'tests/e2e/chatKilled.test.ts',
];
