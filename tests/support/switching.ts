/** What somebody sees and hears of another while the meeting changes between mesh and relay. */
import type { Person } from './person.ts';

/** So long before a switch and after it a gap is the switch's; what came before that is the machine's. */
export const SWITCH_MS = { before: 300, after: 1500, quiet: 5000 };

/** Begins to write down what somebody's tile shows, and when it shows another track. */
export async function watchSwitch(person: Person, other: Person): Promise<void> {
  await person.watch(other.name);
  await person.tile(other.name).evaluate((tile, name) => {
    const switches = ((globalThis as { parleySwitches?: Record<string, number> }).parleySwitches ??= {});
    delete switches[name];
    const shown = () => (tile.querySelector('video')?.srcObject as MediaStream | null)?.getVideoTracks()[0]?.id;
    const before = shown();
    const timer = setInterval(() => {
      if (shown() === before) return;
      switches[name] = performance.timeOrigin + performance.now();
      clearInterval(timer);
    }, 10);
  }, other.name);
}

export interface Gap {
  /** Longest wait for a picture around the switch, and in the seconds before it, milliseconds. */
  gap: number;
  usual: number;
  /** Between one picture and the next, as a rule. */
  interval: number;
}

/** @throws Error where no other track was shown since `watchSwitch` */
export async function gapOf(person: Person, other: Person): Promise<Gap> {
  const at = await person.page.evaluate(
    (name) => (globalThis as { parleySwitches?: Record<string, number> }).parleySwitches?.[name],
    other.name,
  );
  if (at === undefined) throw new Error(`${person.name} does not see ${other.name} by another track`);
  const { readings } = await person.watchedOf(other.name);
  const steps = readings.slice(1).map((one, i) => ({ begin: readings[i]!.at, end: one.at }));
  const longest = (from: number, to: number): number =>
    Math.round(Math.max(0, ...steps.filter(({ begin, end }) => end >= from && begin <= to).map(lengthOf)));
  const from = at - SWITCH_MS.before;
  const lengths = steps.map(lengthOf).sort((one, another) => one - another);
  return {
    gap: longest(from, at + SWITCH_MS.after),
    usual: longest(from - SWITCH_MS.quiet, from),
    interval: lengths[lengths.length >> 1] ?? NaN,
  };
}

const lengthOf = ({ begin, end }: { begin: number; end: number }): number => end - begin;

/** Begins to add up what is concealed of the sound that plays: what did not come in time and was made up (W3C webrtc-stats). */
export async function watchSound(person: Person): Promise<void> {
  await person.page.evaluate(() => {
    const page = globalThis as { parleyConcealed?: number; parleySound?: ReturnType<typeof setInterval> };
    clearInterval(page.parleySound);
    page.parleyConcealed = 0;
    const known = new Map<string, number>();
    page.parleySound = setInterval(() => {
      const playing = [...document.querySelectorAll('audio')].flatMap((audio) =>
        audio.srcObject instanceof MediaStream ? audio.srcObject.getAudioTracks().map(({ id }) => id) : [],
      );
      for (const connection of parleyProbe.connections)
        for (const receiver of connection.getReceivers()) {
          if (receiver.track.kind !== 'audio') continue;
          void receiver.getStats().then((report) => {
            for (const entry of report.values()) {
              if (entry.type !== 'inbound-rtp' || entry.concealedSamples === undefined) continue;
              const concealed = entry.concealedSamples - (entry.silentConcealedSamples ?? 0);
              const before = known.get(entry.id + receiver.track.id) ?? concealed;
              known.set(entry.id + receiver.track.id, concealed);
              if (playing.includes(receiver.track.id)) page.parleyConcealed! += concealed - before;
            }
          });
        }
    }, 50);
  });
}

/** @returns milliseconds of sound that were made up since `watchSound` */
export const concealedMs = (person: Person): Promise<number> =>
  person.page.evaluate(() => ((globalThis as { parleyConcealed?: number }).parleyConcealed ?? 0) / 48);
