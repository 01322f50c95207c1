/** What somebody sees and hears of another while the meeting changes between mesh and relay. */
import { FILM } from './media/films.ts';
import type { Person } from './person.ts';

/** So long before a switch and after it a gap is the switch's; what came before that is the machine's. */
export const SWITCH_MS = { before: 300, after: 1500, quiet: 5000 };

/** Begins to write down what is seen and heard of somebody. */
export async function watchSwitch(person: Person, other: Person): Promise<void> {
  await person.watch(other.name);
  await watchWays(person, other);
}

/** Whether another picture and another sound have taken the places of those that were there. */
export async function hasSwitched(person: Person, other: Person): Promise<boolean> {
  const { readings } = await person.watchedOf(other.name);
  const isHeard = await person.page.evaluate(
    (name) => (parleyWays?.get(name)?.switchedAt ?? null) !== null,
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
  /** For so long pictures came by both ways, milliseconds, within a tenth of a second: below zero there was a time when none did. */
  overlap: number;
}

/** @throws Error where no other track was shown since `watchSwitch` */
export async function gapOf(person: Person, other: Person): Promise<Gap> {
  const { readings } = await person.watchedOf(other.name);
  const first = readings.findIndex(({ by }) => by > 0);
  if (first <= 0) throw new Error(`${person.name} does not see ${other.name} by another track`);
  const [last, next] = [readings[first - 1]!, readings[first]!];
  const steps = readings.slice(1).map((one, i) => ({ begin: readings[i]!.at, end: one.at }));
  const from = next.at - SWITCH_MS.before;
  const longest = (isWanted: (step: { begin: number; end: number }) => boolean): number =>
    Math.round(Math.max(0, ...steps.filter(isWanted).map(lengthOf)));
  const pictures = await person.page.evaluate(
    (name) => [...(parleyWays?.get(name)?.pictures.values() ?? [])],
    other.name,
  );
  const [newest, former] = pictures.toSorted((one, another) => another.begun - one.begun);
  const lengths = steps.map(lengthOf).sort((one, another) => one - another);
  return {
    handover: Math.round(next.at - last.at),
    skipped: stepsBetween(last.number, next.number) - 1,
    gap: longest(({ begin, end }) => end >= from && begin <= next.at + SWITCH_MS.after),
    usual: longest(({ end }) => end >= from - SWITCH_MS.quiet && end < from),
    interval: lengths[lengths.length >> 1] ?? NaN,
    overlap: newest && former ? Math.round(former.newest - newest.begun) : NaN,
  };
}

const lengthOf = ({ begin, end }: { begin: number; end: number }): number => end - begin;

/** Pictures of the film from one to another, which may be the one before it: by the new way less time may have passed, or more. */
function stepsBetween(from: number, to: number): number {
  const ahead = (to - from + FILM.frames) % FILM.frames;
  return ahead > FILM.frames / 2 ? 1 : Math.max(1, ahead);
}

/** What comes of somebody, by any way. */
interface Ways {
  peer: string | null | undefined;
  /** Sound that plays now, and that played when watching began. */
  playing(): MediaStreamTrack | undefined;
  first: MediaStreamTrack | undefined;
  switchedAt: number | null;
  madeUp: { at: number; ms: number }[];
  /** By connection and track of the camera: its first picture and its newest, milliseconds since 1970. */
  pictures: Map<string, { begun: number; newest: number }>;
}

declare global {
  /** By name. */
  var parleyWays: Map<string, Ways> | undefined;
}

/**
 * Begins to write down, ten times a second, which tracks bring pictures, and what is concealed of the sound that plays: what did not come in time
 * and was made up (W3C webrtc-stats).
 */
async function watchWays(person: Person, other: Person): Promise<void> {
  await person.page.evaluate((name) => {
    const peer = document.querySelector(`[data-testid=tile][data-name="${name}"]`)?.getAttribute('data-peer');
    const playing = (): MediaStreamTrack | undefined =>
      [...document.querySelectorAll('audio')]
        .flatMap(({ srcObject }) => (srcObject instanceof MediaStream ? srcObject.getAudioTracks() : []))
        .find((track) => {
          const source = parleyProbe.sourceOf(track);
          return source?.peer === peer && source?.kind === 'microphone';
        });
    const isFirst = globalThis.parleyWays === undefined;
    const all = (globalThis.parleyWays ??= new Map());
    all.set(name, { peer, playing, first: playing(), switchedAt: null, madeUp: [], pictures: new Map() });
    if (!isFirst) return;
    const known = new Map<string, number>();
    const shown = new Map<string, number>();
    const look = async (): Promise<void> => {
      const now = performance.timeOrigin + performance.now();
      const heard = new Map<string, Ways>();
      for (const ways of all.values()) {
        const track = ways.playing();
        if (track !== ways.first) ways.switchedAt ??= now;
        if (track) heard.set(track.id, ways);
      }
      // Once for all receivers of a connection: to ask each would be work that one can hear.
      for (const [i, connection] of parleyProbe.connections.entries()) {
        if (connection.connectionState !== 'connected') continue;
        const seen = new Map<string, Ways>();
        for (const { track } of connection.getReceivers()) {
          const source = parleyProbe.sourceOf(track);
          const ways = source?.kind === 'camera' && [...all.values()].find(({ peer }) => peer === source.peer);
          if (ways) seen.set(track.id, ways);
        }
        for (const entry of (await connection.getStats()).values()) {
          if (entry.type !== 'inbound-rtp') continue;
          // A track of the camera has one name in each connection to the same person.
          const key = `${i} ${entry.trackIdentifier}`;
          const ways = seen.get(entry.trackIdentifier);
          if (ways && entry.framesDecoded > (shown.get(key) ?? 0)) {
            shown.set(key, entry.framesDecoded);
            ways.pictures.set(key, { begun: ways.pictures.get(key)?.begun ?? now, newest: now });
          }
          if (entry.concealedSamples === undefined) continue;
          const samples = entry.concealedSamples - (entry.silentConcealedSamples ?? 0);
          const more = samples - (known.get(key) ?? samples);
          known.set(key, samples);
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
    const { switchedAt = null, madeUp = [] } = globalThis.parleyWays?.get(name) ?? {};
    return { switchedAt, madeUp };
  }, other.name);
  if (sound.switchedAt === null) throw new Error(`${person.name} does not hear ${other.name} by another track`);
  const from = sound.switchedAt - SWITCH_MS.before;
  const sum = (begin: number, end: number): number =>
    Math.round(sound.madeUp.filter(({ at }) => at >= begin && at < end).reduce((total, { ms }) => total + ms, 0));
  const length = SWITCH_MS.before + SWITCH_MS.after;
  return { around: sum(from, from + length), before: sum(from - length, from) };
}
