/**
 * Row 10: what two people notice when others take them to the relay, and when the mesh takes them back.
 *
 * How long it takes from the last picture by the old way to the first by the new one, and how much of the sound had to be made up around
 * it. Beside it the longest wait for a picture in the two seconds around, and in the five before, when nothing changed: who comes, goes, or
 * sends by both ways for a second takes the two cores from everybody.
 */
import { People, until } from '../support/person.ts';
import { serveApp } from '../support/servedApp.ts';
import { WITH_RELAY } from '../support/startApp.ts';
import { concealedOf, gapOf, hasSwitched, SWITCH_MS, watchSwitch, type Gap } from '../support/switching.ts';
import type { Bench, Figure } from './measure.ts';
import { median } from './measure.ts';
import type { Person } from '../support/person.ts';

/** Small: pages that paint in software take their time from the pictures. */
const OPTIONS = { probe: { meshLimit: 3 }, context: { viewport: { width: 640, height: 480 } } };
/** Those who come and go have neither camera nor microphone: it is not their pictures that are measured, and the cores are two. */
const SILENT = { ...OPTIONS, noDevices: true };

type Seen = Gap & Awaited<ReturnType<typeof concealedOf>>;

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
        for (const [one, other] of pairs) await watchSwitch(one, other);
        await new Promise((resolve) => setTimeout(resolve, SWITCH_MS.quiet));
        await change();
        for (const [one, other] of pairs)
          await until(
            () => hasSwitched(one, other),
            () => `${one.name} sees and hears ${other.name} by the new way`,
            90_000,
          );
        await new Promise((resolve) => setTimeout(resolve, SWITCH_MS.after));
        for (const [one, other] of pairs)
          seen[way].push({ ...(await gapOf(one, other)), ...(await concealedOf(one, other)) });
      };
      for (let round = 0; round < (quick ? 1 : rounds); round++) {
        const [carla, dan] = [await here.invite('Carla', SILENT), await here.invite('Dan', SILENT)];
        await carla.come(link);
        await switchOver('up', () => dan.come(link));
        await switchOver('down', async () => {
          for (const one of [carla, dan]) await one.leave().then(() => one.close());
        });
        for (const way of ['up', 'down'] as const)
          say(
            `${way}: ${seen[way]
              .slice(-2)
              .map(
                ({ handover, skipped, gap, usual, around, before }) =>
                  `${handover} ms, ${skipped} skipped (around ${gap}, before ${usual}), ${around} ms of sound (before ${before})`,
              )
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
  const interval = median(seen.map((one) => one.interval));
  const to = way === 'up' ? 'to the relay' : 'to the mesh';
  const largest = (of: (one: Seen) => number): number => Math.max(...seen.map(of));
  const common = { ratio: null, other: null, target: '', met: null, against: '' };
  const before = { ...common, against: 'before' };
  const [handover, sound] = [largest((one) => one.handover), largest(({ around }) => around)];
  return [
    {
      ...common,
      what: `${to}: from the last picture to the first by the new way, largest of ${seen.length}`,
      unit: 'ms',
      ours: handover,
      target: `≤ 1 interval (${interval.toFixed(0)} ms)`,
      met: handover <= interval,
    },
    {
      ...common,
      what: `${to}: pictures shown by neither, largest`,
      unit: '',
      ours: largest(({ skipped }) => skipped),
    },
    {
      ...before,
      what: `${to}: longest wait for a picture around it, p50`,
      unit: 'ms',
      ours: median(seen.map(({ gap }) => gap)),
      other: median(seen.map(({ usual }) => usual)),
    },
    {
      ...before,
      what: `${to}: longest wait for a picture around it, largest`,
      unit: 'ms',
      ours: largest(({ gap }) => gap),
      other: largest(({ usual }) => usual),
    },
    {
      ...before,
      what: `${to}: sound made up around it, largest`,
      unit: 'ms',
      ours: sound,
      other: largest(({ before }) => before),
      target: '≤ 20 ms',
      met: sound <= 20,
    },
  ];
}
