/** What somebody sees and hears of another while the meeting changes between mesh and relay. */
import { FILM } from './media/films.ts';
import type { Person } from './person.ts';

/** So long before a switch and after it a gap is the switch's; what came before that is the machine's. */
export const SWITCH_MS = { before: 300, after: 1500, quiet: 5000 };

/** Begins to write down what is seen and heard of somebody. */
export async function watchSwitch(person: Person, other: Person): Promise<void> {
  await person.watch(other.name);
  await watchSound(person, other);
}

/** Whether another picture and another sound have taken the places of those that were there. */
export async function hasSwitched(person: Person, other: Person): Promise<boolean> {
  const { readings } = await person.watchedOf(other.name);
  const isHeard = await person.page.evaluate(
    (name) => (parleySounds?.get(name)?.switchedAt ?? null) !== null,
    other.name,
  );
  return isHeard && readings.some(({ by }) => by > 0);
}

export interface Gap {
  /** Between the last picture by the old way and the first by the new one, milliseconds; and how many of the film were shown by neither. */
  handover: number;
  skipped: number;
  /** Longest wait for a picture in the second or two around it, which is the machine's as well, and in the seconds before it. */
  gap: number;
  usual: number;
  /** Between one picture and the next, as a rule. */
  interval: number;
}

/** @throws Error where no other track was shown since `watchSwitch` */
export async function gapOf(person: Person, other: Person): Promise<Gap> {
  const { readings } = await person.watchedOf(other.name);
  const first = readings.findIndex(({ by }) => by > 0);
  if (first <= 0) throw new Error(`${person.name} does not see ${other.name} by another track`);
  const [last, next] = [readings[first - 1]!, readings[first]!];
  const steps = readings.slice(1).map((one, i) => ({ begin: readings[i]!.at, end: one.at }));
  const longest = (from: number, to: number): number =>
    Math.round(Math.max(0, ...steps.filter(({ begin, end }) => end >= from && begin <= to).map(lengthOf)));
  const from = next.at - SWITCH_MS.before;
  const lengths = steps.map(lengthOf).sort((one, another) => one - another);
  return {
    handover: Math.round(next.at - last.at),
    skipped: stepsBetween(last.number, next.number) - 1,
    gap: longest(from, next.at + SWITCH_MS.after),
    usual: longest(from - SWITCH_MS.quiet, from),
    interval: lengths[lengths.length >> 1] ?? NaN,
  };
}

const lengthOf = ({ begin, end }: { begin: number; end: number }): number => end - begin;

/** Pictures of the film from one to another, which may be the one before it: by the new way less time may have passed, or more. */
function stepsBetween(from: number, to: number): number {
  const ahead = (to - from + FILM.frames) % FILM.frames;
  return ahead > FILM.frames / 2 ? 1 : Math.max(1, ahead);
}

interface Sound {
  /** What plays now, and what played when watching began. */
  playing(): MediaStreamTrack | undefined;
  first: MediaStreamTrack | undefined;
  switchedAt: number | null;
  madeUp: { at: number; ms: number }[];
}

declare global {
  /** By name. */
  var parleySounds: Map<string, Sound> | undefined;
}

/** Begins to write down what is concealed of somebody's sound as it plays: what did not come in time and was made up (W3C webrtc-stats). */
async function watchSound(person: Person, other: Person): Promise<void> {
  await person.page.evaluate((name) => {
    const peer = document.querySelector(`[data-testid=tile][data-name="${name}"]`)?.getAttribute('data-peer');
    const playing = (): MediaStreamTrack | undefined =>
      [...document.querySelectorAll('audio')]
        .flatMap(({ srcObject }) => (srcObject instanceof MediaStream ? srcObject.getAudioTracks() : []))
        .find((track) => {
          const source = parleyProbe.sourceOf(track);
          return source?.peer === peer && source?.kind === 'microphone';
        });
    const isFirst = globalThis.parleySounds === undefined;
    const sounds = (globalThis.parleySounds ??= new Map());
    sounds.set(name, { playing, first: playing(), switchedAt: null, madeUp: [] });
    if (!isFirst) return;
    const known = new Map<string, number>();
    const look = async (): Promise<void> => {
      const now = performance.timeOrigin + performance.now();
      const heard = new Map<string, Sound>();
      for (const sound of sounds.values()) {
        const track = sound.playing();
        if (track !== sound.first) sound.switchedAt ??= now;
        if (track) heard.set(track.id, sound);
      }
      // Once for all receivers of a connection: to ask each would be work that one can hear.
      for (const connection of parleyProbe.connections) {
        if (connection.connectionState !== 'connected') continue;
        for (const entry of (await connection.getStats()).values()) {
          if (entry.type !== 'inbound-rtp' || entry.concealedSamples === undefined) continue;
          const samples = entry.concealedSamples - (entry.silentConcealedSamples ?? 0);
          const more = samples - (known.get(entry.trackIdentifier) ?? samples);
          known.set(entry.trackIdentifier, samples);
          if (more > 0) heard.get(entry.trackIdentifier)?.madeUp.push({ at: now, ms: more / 48 });
        }
      }
    };
    // A connection that closes under it has no statistics any more.
    const lookOn = (): void =>
      void look()
        .catch(() => undefined)
        .then(() => setTimeout(lookOn, 100));
    lookOn();
  }, other.name);
}

/**
 * @returns milliseconds of somebody's sound that were made up around the switch, and in as long a time before that
 * @throws Error where no other track was heard since `watchSwitch`
 */
export async function concealedOf(person: Person, other: Person): Promise<{ around: number; before: number }> {
  const sound = await person.page.evaluate((name) => {
    const { switchedAt = null, madeUp = [] } = globalThis.parleySounds?.get(name) ?? {};
    return { switchedAt, madeUp };
  }, other.name);
  if (sound.switchedAt === null) throw new Error(`${person.name} does not hear ${other.name} by another track`);
  const from = sound.switchedAt - SWITCH_MS.before;
  const sum = (begin: number, end: number): number =>
    Math.round(sound.madeUp.filter(({ at }) => at >= begin && at < end).reduce((total, { ms }) => total + ms, 0));
  const length = SWITCH_MS.before + SWITCH_MS.after;
  return { around: sum(from, from + length), before: sum(from - length, from) };
}
