/** Files in words of the catalogue. */
import type { FileFault, StagedFile } from '../../chat/view.ts';
import { m } from '../../paraglide/messages.js';
import { getLocale } from '../../paraglide/runtime.js';

const UNITS = ['byte', 'kilobyte', 'megabyte'] as const;

/** By thousands, as disks are counted. */
export function sizeWords(bytes: number): string {
  const step = bytes < 1000 ? 0 : bytes < 999_500 ? 1 : 2;
  const maximumFractionDigits = step === 2 && bytes < 100_000_000 ? 1 : 0;
  const unitDisplay = step === 0 ? 'long' : 'short';
  const format = { style: 'unit', unit: UNITS[step]!, unitDisplay, maximumFractionDigits } as const;
  return new Intl.NumberFormat(getLocale(), format).format(bytes / 1000 ** step);
}

export function faultWords(fault: FileFault): string {
  switch (fault) {
    case 'tooLarge':
      return m.chat_file_too_large();
    case 'full':
      return m.chat_file_full();
    case 'busy':
      return m.chat_file_busy();
    case 'gone':
      return m.chat_file_gone();
    case 'changed':
      return m.chat_file_changed();
    case 'forged':
      return m.chat_file_forged();
    case 'refused':
      return m.chat_file_refused();
  }
}

export function stateWords(state: StagedFile['state']): string {
  switch (state.at) {
    case 'preparing':
      return m.chat_file_preparing();
    case 'waiting':
      return m.chat_file_waiting();
    case 'uploading':
      return m.chat_file_uploading({ percent: percentWords(state.share) });
    case 'ready':
      return m.chat_file_ready();
    case 'failed':
      return faultWords(state.why);
  }
}

export const percentWords = (share: number): string =>
  new Intl.NumberFormat(getLocale(), { style: 'percent' }).format(Math.min(1, share));
