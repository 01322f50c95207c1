/** Names and types of files, whoever gave them: as they may be shown, and given to a disk. Pure. */
import { visibleLine } from './visible.ts';

const LENGTH = 120;
/** Longer ones are none. */
const EXTENSION = /\.[^.]{1,12}$/;
/** Paths, and what Windows does not take (learn.microsoft.com, "Naming Files, Paths, and Namespaces"). */
const UNFIT = /[/\\:*?"<>|]/g;
const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;
/** Of pictures that every browser shows and none runs. */
const PICTURES = new Set(['image/png', 'image/jpeg', 'image/webp', 'image/gif']);

/** A name without paths, control characters and marks that turn letters round; never empty, and never hidden. */
export function cleanName(name: string): string {
  const line = visibleLine(name.normalize('NFC')).replaceAll('\ufffd', '').replace(UNFIT, '_');
  // Windows drops dots and blanks at the end, and others hide what begins with a dot.
  const fit = line
    .trim()
    .replace(/[. ]+$/, '')
    .replace(/^\.+/, (dots) => '_'.repeat(dots.length));
  const safe = RESERVED.test(fit) ? `_${fit}` : fit;
  if (safe === '') return 'file';
  const characters = [...safe];
  if (characters.length <= LENGTH) return safe;
  const extension = EXTENSION.exec(safe)?.[0] ?? '';
  return `${characters.slice(0, LENGTH - extension.length).join('')}${extension}`;
}

/** The type of a picture that may be shown; null for everything else. */
export function pictureType(type: string): string | null {
  return PICTURES.has(type) ? type : null;
}

/** Small letters, without what may follow; of what is none, bytes. */
export function cleanType(type: string): string {
  const [plain = ''] = type.toLowerCase().split(';');
  return /^[a-z0-9.+-]{1,50}\/[a-z0-9.+-]{1,49}$/.test(plain.trim()) ? plain.trim() : 'application/octet-stream';
}
