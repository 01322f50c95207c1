/** First letters of a name, in any script. */
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** First letter of the first and of the last word, in capitals, without a namesake's code (client/chat/namesakes.ts); '' for a name without letters. */
export function initials(name: string): string {
  const words = name
    .split(' · ')[0]!
    .split(/\s+/)
    .filter((word) => /^[\p{L}\p{N}\p{Emoji_Presentation}]/u.test(word));
  const chosen = words.length > 1 ? [words[0], words.at(-1)] : words;
  return chosen.map((word) => first(word ?? '').toLocaleUpperCase()).join('');
}

function first(word: string): string {
  for (const { segment } of graphemes.segment(word)) return segment;
  return '';
}
