/** Makes characters that hide or turn round what is read show themselves. Pure. */

/** Control characters but for line ends and tabs, and what overrides the direction of letters. */

const DECEIVING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202d\u202e]/gu;

/**
 * In names and words of links, where nothing of this has a place: line ends, marks and isolates of direction, and what takes up no room.
 * Joiners stay, because scripts and emoji need them.
 */
const HIDDEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

const MARK = '\ufffd';

/** A text of several lines, as it is shown. */
export const visibleText = (text: string): string => text.replace(DECEIVING, MARK);

/** A name or a link's words on one line, as they are shown. */
export const visibleLine = (text: string): string => text.replace(HIDDEN, MARK);
