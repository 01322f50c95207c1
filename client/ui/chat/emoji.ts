/** The emoji that are offered, and messages that are nothing else. Pure. */

/** The first are those that answers are mostly made of. */
export const EMOJI: readonly string[] = [
  ...['👍', '❤️', '😂', '🎉', '🙏', '👏', '👀', '✅'],
  ...['😊', '😅', '😍', '🤔', '😮', '😢', '😴', '🥳'],
  ...['👋', '🙌', '💪', '🤝', '👎', '❌', '❓', '💡'],
  ...['🔥', '💯', '🚀', '⭐', '🌱', '🌈', '☕', '🍰'],
];

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** Up to three emoji and nothing else: shown larger. */
export function isEmojiOnly(text: string): boolean {
  if (text === '' || text.length > 40 || !/^\P{ASCII}+$/u.test(text)) return false;
  const parts = [...graphemes.segment(text)];
  return parts.length <= 3 && parts.every(({ segment }) => /^\p{Extended_Pictographic}|^\p{RI}{2}/u.test(segment));
}
