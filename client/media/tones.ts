/**
 * Soft, short sounds, made here: nothing is fetched, and nothing of a call passes through. One audio context of their own.
 */
export type Tone = 'joined' | 'handRaised';

/** Hertz, one after the other: up a third; one higher note. */
const NOTES: Record<Tone, readonly number[]> = { joined: [523.25, 659.25], handRaised: [783.99] };
const APART_S = 0.12;
const RISE_S = 0.015;
const FALL_S = 0.28;
/** Of full scale: under a voice. */
const LOUD = 0.05;
const SILENT = 0.0001;

let context: AudioContext | undefined;

export function play(tone: Tone): void {
  context ??= new AudioContext();
  // Made without a gesture it sleeps until there was one.
  if (context.state === 'suspended') void context.resume().catch(() => undefined);
  const start = context.currentTime;
  for (const [index, frequency] of NOTES[tone].entries()) {
    const from = start + index * APART_S;
    const note = new OscillatorNode(context, { type: 'sine', frequency });
    const volume = new GainNode(context, { gain: SILENT });
    volume.gain.setValueAtTime(SILENT, from);
    volume.gain.exponentialRampToValueAtTime(LOUD, from + RISE_S);
    volume.gain.exponentialRampToValueAtTime(SILENT, from + RISE_S + FALL_S);
    note.connect(volume).connect(context.destination);
    note.start(from);
    note.stop(from + RISE_S + FALL_S);
  }
}
