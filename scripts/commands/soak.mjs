/** npm run soak: the seeded tests, with many seeds more: an hour or so. `-- PATH…` runs some of them. */
import { main } from '../setup/say.mjs';
import { setUp } from '../setup/setup.mjs';
import { ensureTestTools } from '../setup/testTools.mjs';
import { SOAKS } from '../setup/soaks.mjs';
import { runVitest } from '../setup/vitest.mjs';

main(async () => {
  await setUp();
  const env = await ensureTestTools();
  const chosen = process.argv.slice(2);
  await runVitest(chosen.length > 0 ? chosen : SOAKS, { ...env, PARLEY_SOAK: '1' });
});
