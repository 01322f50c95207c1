/**
 * When somebody is seen and heard, written down all the time, whichever element plays it: for how long each was gone, `Person.see` and
 * `Person.hear` cannot say.
 */
import type { Person } from './person.ts';

export interface Perceived {
  /** When a picture with that person's number was presented, milliseconds since 1970, which all pages of one machine share. */
  seen: number[];
  /** When the tone was there. */
  heard: number[];
}

declare global {
  /** By name. */
  var parleyPerceived: Record<string, Perceived> | undefined;
}

/** So often is the tone looked for; a window of the spectrum is 43 ms long. */
const LOOK_MS = 50;

/** Begins to write down what `person` perceives of `who`, itself too (its mirror); what was written before is forgotten. */
export async function perceive(person: Person, who: Person): Promise<void> {
  await person.page.evaluate(
    ({ name, number, tone, lookMs }) => {
      const all = (globalThis.parleyPerceived ??= {});
      const wasBegun = all[name] !== undefined;
      all[name] = { seen: [], heard: [] };
      if (wasBegun) return;
      const clock = (): number => performance.timeOrigin + performance.now();
      const tile = (): Element | null => document.querySelector(`[data-testid=tile][data-name="${name}"]`);

      let watched: HTMLVideoElement | null = null;
      const follow = (video: HTMLVideoElement): void =>
        void video.requestVideoFrameCallback(() => {
          if (video !== watched) return;
          if (parleyReaders.now(video)?.person === number) all[name]!.seen.push(clock());
          follow(video);
        });

      const context = new AudioContext();
      const analyser = new AnalyserNode(context, { fftSize: 2048, smoothingTimeConstant: 0 });
      const bins = new Float32Array(analyser.frequencyBinCount);
      const width = context.sampleRate / 2 / bins.length;
      let played: MediaStreamTrack | undefined;
      let source: MediaStreamAudioSourceNode | undefined;
      let playedAt = 0;
      const findTrack = (): MediaStreamTrack | undefined => {
        const peer = tile()?.getAttribute('data-peer');
        return [...document.querySelectorAll<HTMLMediaElement>('audio, video')]
          .filter(({ muted, paused }) => !muted && !paused)
          .flatMap(({ srcObject }) => (srcObject instanceof MediaStream ? srcObject.getAudioTracks() : []))
          .find((track) => {
            const from = parleyProbe.sourceOf(track);
            return from?.peer === peer && from?.kind === 'microphone';
          });
      };
      setInterval(() => {
        const video = tile()?.querySelector('video') ?? null;
        if (video !== watched) {
          watched = video;
          if (video) follow(video);
        }
        const track = findTrack();
        const now = clock();
        if (track !== played) {
          source?.disconnect();
          source = track && context.createMediaStreamSource(new MediaStream([track]));
          source?.connect(analyser);
          [played, playedAt] = [track, now];
        }
        // The window still holds what another track played.
        if (track === undefined || now - playedAt < lookMs) return;
        analyser.getFloatFrequencyData(bins);
        const at = Math.round(tone / width);
        const level = Math.max(...bins.subarray(at - 1, at + 2));
        const sorted = bins.slice(Math.floor(200 / width), Math.ceil(4000 / width)).sort();
        if (level > -60 && level - sorted[sorted.length >> 1]! > 20) all[name]!.heard.push(now);
      }, lookMs);
    },
    { name: who.name, number: who.number, tone: who.tone, lookMs: LOOK_MS },
  );
}

export function perceivedOf(person: Person, who: Person): Promise<Perceived> {
  return person.page.evaluate((name) => {
    const { seen, heard } = globalThis.parleyPerceived?.[name] ?? { seen: [], heard: [] };
    return { seen: [...seen], heard: [...heard] };
  }, who.name);
}

/** Longest time between two of the moments since `from`, until now, milliseconds. */
export function longestWithout(moments: readonly number[], from: number): number {
  const times = [from, ...moments.filter((at) => at >= from), Date.now()];
  return Math.round(Math.max(...times.slice(1).map((at, i) => at - times[i]!)));
}
