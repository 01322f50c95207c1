/** A call that can only go through a TURN server: Debian's coturn, with the credentials that Parley makes. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { endsOf } from '../support/ends.ts';
import { isTone } from '../support/media/readers.ts';
import type { Person } from '../support/person.ts';
import { CAST, People } from '../support/person.ts';
import type { App } from '../support/servedApp.ts';
import { serveApp } from '../support/servedApp.ts';
import type { TurnServer } from '../support/turnServer.ts';
import { startTurnServer, turnServerPath } from '../support/turnServer.ts';

const missing = turnServerPath() === null;
if (missing && process.env['CI']) throw new Error('CI needs coturn (Debian: apt-get install coturn)');

describe.skipIf(missing)('through coturn (Debian: apt-get install coturn)', () => {
  let turn: TurnServer;
  let app: App;
  let here: People;

  beforeAll(async () => {
    turn = await startTurnServer();
    app = await serveApp({ PARLEY_TURN_URLS: turn.url, PARLEY_TURN_SECRET: turn.secret });
    here = new People(app.origin);
  });
  afterEach(() => here.close());
  afterAll(async () => {
    await app?.close();
    await turn?.close();
  });

  test('two people who can reach nothing but the TURN server see and hear each other, sealed as ever', async () => {
    const { people } = await here.meet(['Anna', 'Ben'], { options: { probe: { relayOnly: true } } });
    const [anna, ben] = people as [Person, Person];
    await Promise.all([anna.see('Ben'), ben.see('Anna')]);
    expect(isTone(await ben.hear('Anna', 1500), CAST.Anna.tone)).toBe(true);
    expect(turn.allocations()).toBeGreaterThanOrEqual(1);
    const types = (await endsOf(anna)).map(({ localType }) => localType);
    expect(types).toContain('relay');
    for (const person of people) expect((await person.totals()).unopened).toBe(0);
  });
});
