/** npm run soak: the long seeded tests (tests/soak), and longer walks in the others. `-- PATH…` runs some of them. */
import { main } from '../setup/say.mjs';
import { setUp } from '../setup/setup.mjs';
import { ensureTestTools } from '../setup/testTools.mjs';
import { runVitest } from '../setup/vitest.mjs';

main(async () => {
  await setUp();
  await runVitest(process.argv.slice(2), { ...(await ensureTestTools()), PARLEY_SOAK: '1' });
});
