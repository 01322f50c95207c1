/**
 * One call in which everything is killed, one after the other, with SIGKILL: a worker of the relay, a relay, signal.
 *
 * Five members, whom the meeting's limit takes to the relay: three browsers, and two without one that send, receive and open real packets:
 * five browsers on two cores wait for the machine rather than for what is tested here. Relays and signal are processes, as an operator runs
 * them.
 */
import { afterEach, expect, test } from 'vitest';
import { hasWorker } from '../../relay/relay.ts';
import type { PeerId } from '../../signal/protocol/ids.ts';
import { killed, type Outage, Relays } from '../support/outage.ts';
import { People, type Person, until } from '../support/person.ts';
import { RELAY_SECRET } from '../support/relayProcess.ts';
import { Crowd, meetingOf } from '../support/synthetic/crowd.ts';
import { type SignalProcess, startSignalProcess } from '../support/signalProcess.ts';

if (!hasWorker()) console.warn('skipped: no relay worker (npm test fetches or builds it)');

let signal: SignalProcess | undefined;
let here: People | undefined;
let relays: Relays | undefined;
let crowd: Crowd | undefined;

afterEach(async () => {
  await crowd?.close();
  await here?.close();
  await signal?.close();
  relays?.close();
});

const WINDOWS = { context: { viewport: { width: 640, height: 480 } }, probe: { meshLimit: 2 } };
/** Who has lost the relay sees and hears again after this, if the machine has time. */
const BACK_MS = 1500;
/** A picture may take so much longer: it waits for a layer and a key frame of it. */
const LAYER_MS = 500;

/** Between two looks at a tone and two pictures, on a busy machine. */
const UNNOTICED_MS = 300;

test.skipIf(!hasWorker())(
  'worker, relay and signal are killed in one call: all see and hear each other again, and signal is not missed',
  { timeout: 240_000 },
  async () => {
    signal = await startSignalProcess({ PARLEY_RELAY_SECRET: RELAY_SECRET });
    relays = await Relays.start(signal.port, ['one', 'two']);
    here = new People(signal.origin);
    const { people, link } = await here.meet(['Anna', 'Ben', 'Carla'], { options: WINDOWS });
    crowd = new Crowd(signal.origin);
    await crowd.enter(meetingOf(link), 2);
    await relays.allAt(people);
    for (const who of crowd.peers) await crowd.follow(who, await peersOf(people));
    await crowdOpensAll(crowd);

    const first = await relays.of(people[0]!);
    const worker = await killed(people, 'a worker', () => {
      for (const pid of first.workers()) process.kill(pid, 'SIGKILL');
    });
    expectBack(worker);
    await crowdOpensAll(crowd);

    const second = await relays.of(people[0]!);
    const relay = await killed(people, 'a relay', () => void second.child.kill('SIGKILL'));
    expectBack(relay);
    await crowdOpensAll(crowd);
    expect(await relays.of(people[0]!)).not.toBe(second);

    const gone = await killed(people, 'signal', async () => {
      await signal!.kill();
      await signal!.start();
      for (const { page } of people) await page.getByTestId('banner-reconnecting').waitFor({ state: 'hidden' });
    });
    // Nobody misses it: what there is at the relay goes on until all comes through the room that is opened beside it.
    for (const { pair, unseen, unheard, stalls } of gone)
      expect(Math.max(unseen, unheard), pair).toBeLessThan(UNNOTICED_MS + 2 * stalls);
    await crowdOpensAll(crowd);
    const dan = await here.invite('Dan', WINDOWS);
    await dan.come(link);
    for (const person of people) {
      await person.see('Dan', 3);
      await dan.see(person.name, 3);
    }
    for (const person of [...people, dan]) expect((await person.totals()).unopened, person.name).toBe(0);
  },
);

/** Of those who look at each other's tiles. */
async function peersOf(people: readonly Person[]): Promise<PeerId[]> {
  const found = await Promise.all(
    people.map(async (person) => {
      const other = people.find((one) => one !== person)!;
      return (await other.tile(person.name).getAttribute('data-peer')) as PeerId;
    }),
  );
  return found;
}

/** Those without a browser open what comes of each browser, sound and picture, by the opening of the relay that there is now. */
async function crowdOpensAll(crowd: Crowd): Promise<void> {
  let reports = await crowd.report();
  await until(
    async () => {
      reports = await crowd.report();
      return reports.every(({ followed }) => followed.filter(({ opened }) => opened > 0).length === 6);
    },
    () => `two without a browser open all that comes of three; instead: ${JSON.stringify(reports)}`,
  );
}

/** All see and hear each other again, in time. Of what a busy machine takes from everybody, the cameras' own stalls are only the part that shows. */
function expectBack(outages: readonly Outage[]): void {
  for (const { pair, unseen, unheard, stalls } of outages) {
    expect(unheard, `${pair}: the tone`).toBeLessThan(BACK_MS + 3 * stalls);
    expect(unseen, `${pair}: pictures`).toBeLessThan(BACK_MS + LAYER_MS + 3 * stalls);
  }
}
