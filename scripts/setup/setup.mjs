/** The steps every command needs, in order, each done only if something is missing. */
import { ensureClient } from './client.mjs';
import { ensureDependencies } from './dependencies.mjs';
import { alone } from './lock.mjs';

/** @param client  false for a command that does not need the built client */
export async function setUp({ client = true } = {}) {
  await alone(async () => {
    await ensureDependencies();
    if (client) await ensureClient();
  });
}
