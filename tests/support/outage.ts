/** What three people miss of each other when something is killed under their call; and relays on this machine, for that. */
import { endsOf } from './ends.ts';
import { freePort } from './namespace.ts';
import { longestWithout, perceive, perceivedOf } from './perceiving.ts';
import { type Person, until } from './person.ts';
import { type RelayProcess, startRelayProcess, thisMachine } from './relayProcess.ts';

/** So long after what was killed is looked at. */
const AFTER_MS = 5000;

/** Relays that are processes, as an operator runs them, told apart by their ports. */
export class Relays {
  readonly #byPort = new Map<number, RelayProcess>();

  static async start(signalPort: number, names: readonly string[]): Promise<Relays> {
    const relays = new Relays();
    for (const name of names) {
      const port = await freePort();
      const started = await startRelayProcess(thisMachine(name), signalPort, { PARLEY_RELAY_PORT: String(port) });
      relays.#byPort.set(port, started);
    }
    const all = [...relays.#byPort.values()];
    await until(
      async () => all.every(({ log }) => log().includes('relay: at')),
      () => all.map(({ log }) => log()).join('\n'),
    ).catch((error: unknown) => {
      relays.close();
      throw error;
    });
    return relays;
  }

  async allAt(people: readonly Person[]): Promise<void> {
    for (const person of people) {
      await until(
        async () => (await this.#find(person)) !== undefined,
        async () => `${person.name} is at the relay alone; instead: ${await person.situation()}`,
      );
    }
  }

  /** The one that somebody is at. */
  async of(person: Person): Promise<RelayProcess> {
    const found = await this.#find(person);
    if (found === undefined) throw new Error(`${person.name} is at no relay: ${await person.situation()}`);
    return found;
  }

  close(): void {
    for (const { child } of this.#byPort.values()) child.kill('SIGKILL');
  }

  async #find(person: Person): Promise<RelayProcess | undefined> {
    const end = (await endsOf(person)).find(({ port }) => this.#byPort.has(port));
    return end && this.#byPort.get(end.port);
  }
}

export interface Outage {
  pair: string;
  /** Longest time without a new picture, and without the tone, milliseconds. */
  unseen: number;
  unheard: number;
  /** How long the cameras of both stood still in their own mirrors: the machine, not the product. */
  stalls: number;
}

/** Kills something and says how long each missed each other. */
export async function killed(people: readonly Person[], what: string, kill: () => unknown): Promise<Outage[]> {
  await perceiveEachOther(people, `before ${what} is killed`);
  const from = Date.now();
  await kill();
  const tookMs = Date.now() - from;
  await new Promise((resolve) => setTimeout(resolve, AFTER_MS));
  const outages = await outagesSince(people, from);
  console.info(
    `${what} killed (${tookMs} ms): longest without a picture`,
    `${outages.map(({ unseen }) => unseen).join(' ')}, without the tone ${outages.map(({ unheard }) => unheard).join(' ')},`,
    `stalls ${outages.map(({ stalls }) => stalls).join(' ')} ms`,
  );
  return outages;
}

/** Everybody begins to write down what they perceive, and does see and hear everybody. @param when for the message where that is not so */
export async function perceiveEachOther(people: readonly Person[], when: string): Promise<void> {
  for (const one of people) for (const other of people) await perceive(one, other);
  for (const [one, other] of pairsOf(people)) {
    await until(
      async () => {
        const { seen, heard } = await perceivedOf(one, other);
        return seen.length > 10 && heard.length > 3;
      },
      async () => `${one.name} sees and hears ${other.name} ${when}; instead: ${await one.situation()}`,
    );
  }
}

/** @param from milliseconds since 1970; what was missed until now counts */
export async function outagesSince(people: readonly Person[], from: number): Promise<Outage[]> {
  return Promise.all(
    pairsOf(people).map(async ([one, other]): Promise<Outage> => {
      const { seen, heard } = await perceivedOf(one, other);
      const mirrors = await Promise.all([one, other].map((person) => perceivedOf(person, person)));
      const stalls = mirrors.map((mirror) => longestWithout(mirror.seen, from));
      return {
        pair: `${one.name} misses ${other.name}`,
        unseen: longestWithout(seen, from),
        unheard: longestWithout(heard, from),
        stalls: stalls[0]! + stalls[1]!,
      };
    }),
  );
}

export const pairsOf = (people: readonly Person[]): (readonly [Person, Person])[] =>
  people.flatMap((one) => people.filter((other) => other !== one).map((other) => [one, other] as const));
