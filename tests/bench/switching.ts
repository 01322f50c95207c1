/**
 * Row 10: what two people notice when others take them to the relay, and when the mesh takes them back.
 *
 * The longest wait between two pictures that were presented, against the longest in the five seconds before, when nothing changed; and how
 * much of the sound had to be made up.
 */
import { People, until } from '../support/person.ts';
import { serveApp } from '../support/servedApp.ts';
import { WITH_RELAY } from '../support/startApp.ts';
import { concealedMs, gapOf, SWITCH_MS, watchSound, watchSwitch, type Gap } from '../support/switching.ts';
import type { Bench, Figure } from './measure.ts';
import { median } from './measure.ts';
import type { Person } from '../support/person.ts';

/** Small: pages that paint in software take their time from the pictures. */
const OPTIONS = { probe: { meshLimit: 3 }, context: { viewport: { width: 640, height: 480 } } };
/** Those who come and go have neither camera nor microphone: it is not their pictures that are measured, and the cores are two. */
const SILENT = { ...OPTIONS, noDevices: true };

/** Sound that was made up around the switch, and in the seconds before. */
type Seen = Gap & { concealed: number; concealedBefore: number };

export const switching: Bench = {
  row: 10,
  name: 'switching',
  title: 'Mesh to relay and back, seen by two while two others come and go',
  async run({ rounds, quick, say }) {
    const app = await serveApp(WITH_RELAY);
    const here = new People(app.origin);
    const seen: Record<'up' | 'down', Seen[]> = { up: [], down: [] };
    try {
      const { people, link } = await here.meet(['Anna', 'Ben'], { options: OPTIONS });
      const [anna, ben] = people as [Person, Person];
      const pairs = [
        [anna, ben],
        [ben, anna],
      ] as const;
      const switchOver = async (way: 'up' | 'down', change: () => Promise<unknown>): Promise<void> => {
        // The quiet before it is what it is compared with.
        for (const [one, other] of pairs) await Promise.all([watchSwitch(one, other), watchSound(one)]);
        await new Promise((resolve) => setTimeout(resolve, SWITCH_MS.quiet));
        const before = await Promise.all(pairs.map(([one]) => concealedMs(one)));
        await change();
        await new Promise((resolve) => setTimeout(resolve, SWITCH_MS.after));
        for (const [i, [one, other]] of pairs.entries()) {
          const concealed = (await concealedMs(one)) - before[i]!;
          seen[way].push({ ...(await gapOf(one, other)), concealed, concealedBefore: before[i]! });
        }
      };
      for (let round = 0; round < (quick ? 1 : rounds); round++) {
        const [carla, dan] = [await here.invite('Carla', SILENT), await here.invite('Dan', SILENT)];
        await carla.come(link);
        await switchOver('up', async () => {
          await dan.come(link);
          for (const [one] of pairs)
            await until(
              async () => (await sentToRelay(one)) > 0,
              () => `${one.name} at the relay`,
            );
        });
        await switchOver('down', async () => {
          for (const one of [carla, dan]) await one.leave().then(() => one.close());
          for (const [one] of pairs)
            await until(
              async () => (await sentToRelay(one)) === 0,
              () => `${one.name} back in the mesh`,
              90_000,
            );
        });
        for (const way of ['up', 'down'] as const)
          say(
            `${way}: ${seen[way]
              .slice(-2)
              .map(({ gap, usual, concealed }) => `${gap} ms (${usual} before), ${concealed.toFixed(0)} ms of sound`)
              .join('; ')}`,
          );
      }
      for (const person of people) {
        const { unopened } = await person.totals();
        if (unopened > 0) throw new Error(`${person.name} could not open ${unopened} frames`);
      }
    } finally {
      await here.close();
      await app.close();
    }
    return {
      figures: (['up', 'down'] as const).flatMap((way) => figuresOf(way, seen[way])),
      checked: [
        'every frame that came to either could be opened, and each saw the other by another track after each switch',
      ],
    };
  },
};

function figuresOf(way: 'up' | 'down', seen: readonly Seen[]): Figure[] {
  const [gaps, usual] = [seen.map(({ gap }) => gap), seen.map((one) => one.usual)];
  const interval = median(seen.map((one) => one.interval));
  const name = way === 'up' ? 'to the relay' : 'to the mesh';
  const target = `≤ 1 interval (${interval.toFixed(0)} ms) more`;
  const more = median(seen.map((one) => one.gap - one.usual));
  const common = { ratio: null, against: 'the seconds before' };
  return [
    {
      what: `${name}: longest wait for a picture, p50`,
      unit: 'ms',
      ours: median(gaps),
      other: median(usual),
      target,
      met: more <= interval,
      ...common,
    },
    {
      what: `${name}: longest wait for a picture, largest`,
      unit: 'ms',
      ours: Math.max(...gaps),
      other: Math.max(...usual),
      target: '',
      met: null,
      ...common,
    },
    {
      what: `${name}: sound made up, largest`,
      unit: 'ms',
      ours: Math.max(...seen.map(({ concealed }) => concealed)),
      other: Math.max(...seen.map((one) => one.concealedBefore)),
      target: '≤ 20 ms',
      met: seen.every(({ concealed }) => concealed <= 20),
      ...common,
    },
  ];
}

/** Frames that this page has sealed for everybody within a second. */
async function sentToRelay({ page }: Person): Promise<number> {
  const sealed = (): Promise<number> =>
    page.evaluate(() =>
      parleyProbe.transforms
        .filter((options) => options.side === 'send' && options.peer === null)
        .reduce((sum, { id }) => sum + (parleyProbe.counts[id]?.passed ?? 0), 0),
    );
  const before = await sealed();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  return (await sealed()) - before;
}
