/**
 * One call in which everything is killed, one after the other, with SIGKILL: a worker of the relay, a relay, signal.
 *
 * Three people, whom the meeting's limit takes to the relay: five browsers on two cores wait for the machine rather than for what is
 * tested here. Relays and signal are processes, as an operator runs them.
 */
import { afterEach, expect, test } from 'vitest';
import { hasWorker } from '../../relay/relay.ts';
import { killed, type Outage, Relays } from '../support/outage.ts';
import { People } from '../support/person.ts';
import { RELAY_SECRET } from '../support/relayProcess.ts';
import { type SignalProcess, startSignalProcess } from '../support/signalProcess.ts';

if (!hasWorker()) console.warn('skipped: no relay worker (npm test fetches or builds it)');

let signal: SignalProcess | undefined;
let here: People | undefined;
let relays: Relays | undefined;

afterEach(async () => {
  await here?.close();
  await signal?.close();
  relays?.close();
});

const WINDOWS = { context: { viewport: { width: 640, height: 480 } }, probe: { meshLimit: 2 } };
/** Who has lost the relay sees and hears again after this, if the machine has time. */
const BACK_MS = 1500;
/**
 * A picture may take so much longer: whoever asks for a camera before its first packet has no layer of it, since mediasoup (3.27) finds
 * one without a bit rate then, and it looks again after a second.
 */
const LAYER_MS = 1000;

test.skipIf(!hasWorker())(
  'worker, relay and signal are killed in one call: all see and hear each other again, and signal is not missed',
  { timeout: 120_000 },
  async () => {
    signal = await startSignalProcess({ PARLEY_RELAY_SECRET: RELAY_SECRET });
    relays = await Relays.start(signal.port, ['one', 'two']);
    here = new People(signal.origin);
    const { people, link } = await here.meet(['Anna', 'Ben', 'Carla'], { options: WINDOWS });
    await relays.allAt(people);

    const first = await relays.of(people[0]!);
    const worker = await killed(people, 'a worker', () => {
      for (const pid of first.workers()) process.kill(pid, 'SIGKILL');
    });
    expectBack(worker);

    const second = await relays.of(people[0]!);
    const relay = await killed(people, 'a relay', () => void second.child.kill('SIGKILL'));
    expectBack(relay);
    expect(await relays.of(people[0]!)).not.toBe(second);

    const gone = await killed(people, 'signal', async () => {
      await signal!.kill();
      await signal!.start();
      for (const { page } of people) await page.getByTestId('banner-reconnecting').waitFor({ state: 'hidden' });
    });
    // Nobody missed it: what there was at the relay went on, the mesh stood in while the relay was not back, and then it was opened anew.
    expectBack(gone);
    const dan = await here.invite('Dan', WINDOWS);
    await dan.come(link);
    for (const person of people) {
      await person.see('Dan', 3);
      await dan.see(person.name, 3);
    }
    for (const person of [...people, dan]) expect((await person.totals()).unopened, person.name).toBe(0);
  },
);

/** All see and hear each other again, in time. */
function expectBack(outages: readonly Outage[]): void {
  for (const { pair, unseen, unheard, stalls } of outages) {
    expect(unheard, `${pair}: the tone`).toBeLessThan(BACK_MS + stalls);
    expect(unseen, `${pair}: pictures`).toBeLessThan(BACK_MS + LAYER_MS + stalls);
  }
}
