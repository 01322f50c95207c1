/** What a run of tests/e2e/relayTap.test.ts has found, for people: .cache/relay-tap.md, written anew each time. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Canary } from './canaries.ts';
import { formsOf } from './canaries.ts';
import type { Decoded } from './frameDecoder.ts';
import { CHI_SQUARE } from './randomness.ts';
import { parseRtpHeader } from './rtp.ts';
import { KINDS } from './sealedFrames.ts';
import type { Capture } from './tappedCall.ts';

const FOLDER = join(import.meta.dirname, '../../.cache');
const FILE = join(FOLDER, 'relay-tap.md');

type Row = readonly (string | number)[];
type Sample = { bytes: number; chiSquare: number };

export class TapReport {
  readonly #tables = new Map<string, { head: Row; rows: Row[] }>();

  recorded({ recording, later, packets, sent, wire, incomplete, unsealed, padding }: Capture): void {
    const head = ['recorded', 'count'];
    const perKind = KINDS.map((kind, i) => [`frames: ${kind}`, recording.filter((frame) => frame.kind === i).length]);
    const rows: Row[] = [
      ['packets of media at the tap, whole call', packets.filter((packet) => parseRtpHeader(packet) !== null).length],
      ['packets of media that people sent to the relay, on the wire, whole call', sent],
      ['packets of any kind on the wire, both ways', wire.length],
      ['whole frames in the recording', recording.length],
      ...perKind,
      ['frames after it', later.length],
      ['frames with a packet missing', incomplete],
      ['packets that carry nothing', padding],
      ['frames without a header of SFrame', unsealed],
    ];
    for (const row of rows) this.#row('What was recorded', head, row);
  }

  decoded(how: string, stream: string, frames: number, { pictures, numbers, soundMs, tones }: Decoded): void {
    const head = ['stream', 'how', 'frames', 'pictures', 'with a number', 'whose', 'sound, ms', 'of one tone, ms'];
    const whose = [...new Set(numbers.map(({ person }) => person))].join(' ');
    const tone = Object.entries(tones).map(([frequency, ms]) => `${frequency} Hz: ${ms}`);
    const row = [stream, how, frames, pictures, numbers.length, whose, soundMs, tone.join(', ')];
    this.#row('What the decoders of Chromium make of it', head, row);
  }

  searched(place: string, bytes: number, canaries: readonly Canary[], found: number): void {
    const forms = canaries.reduce((sum, canary) => sum + formsOf(canary).length, 0);
    const head = ['place', 'bytes', 'canaries', 'forms', 'found'];
    this.#row('Search for words and secrets', head, [place, bytes, canaries.length, forms, found]);
  }

  nonces(frames: number, keys: number, repeated: number): void {
    this.#row('Nonces', ['frames', 'keys (KIDs)', 'counters twice under a key'], [frames, keys, repeated]);
  }

  noise(of: string, sealed: Sample, plain: Sample): void {
    const title = `Noise: chi-square of 255 degrees of freedom; random between ${CHI_SQUARE.least} and ${CHI_SQUARE.most}`;
    const values = [sealed.bytes, Math.round(sealed.chiSquare), Math.round(plain.chiSquare)];
    this.#row(title, ['bytes of', 'sample', 'sealed', 'opened (control)'], [of, ...values]);
  }

  extensions(used: ReadonlyMap<string, number>, { produced, consumed }: Capture): void {
    const uriOf = (way: string, id: number) => {
      const all = way === 'toRelay' ? produced : consumed;
      const names = all.flatMap(({ headerExtensions }) => headerExtensions.filter((one) => one.id === id));
      return [...new Set(names.map(({ uri }) => uri))].join(' ');
    };
    for (const [key, count] of used) {
      const [way = '', id = ''] = key.split(' ');
      this.#row(
        'Header extensions on the wire',
        ['way', 'id', 'what', 'packets'],
        [way, id, uriOf(way, Number(id)), count],
      );
    }
  }

  later(tried: string, attempts: number, opened: number): void {
    this.#row('Link and password afterwards', ['with', 'frames tried', 'opened'], [tried, attempts, opened]);
  }

  write(): void {
    if (this.#tables.size === 0) return;
    const line = (row: Row): string => `| ${row.join(' | ')} |`;
    const tables = [...this.#tables].map(([title, { head, rows }]) =>
      [`## ${title}`, '', line(head), line(head.map(() => '---')), ...rows.map(line), ''].join('\n'),
    );
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(FILE, `# The tapped call of ${new Date().toISOString()}\n\n${tables.join('\n')}`);
    console.info(`report: ${FILE}`);
  }

  #row(title: string, head: Row, row: Row): void {
    const table = this.#tables.get(title) ?? { head, rows: [] };
    table.rows.push(row);
    this.#tables.set(title, table);
  }
}
