/**
 * Links and meeting ids as people paste them. Finds where a text leads; never checks whether that meeting exists.
 *
 * An invite is `ORIGIN/m/ID#SECRET`. The secret stays in the fragment, so no server sees it. Only syntax is known here: what the
 * secret opens is the worker's business.
 */
import { MeetingId } from '../../signal/protocol/ids.ts';

/** What a pasted text names. `secret` is null where only the id was given. */
export interface PastedInvite {
  meeting: MeetingId;
  secret: string | null;
}

/** 32 bytes in base64url without padding. */
const SECRET = /^[A-Za-z0-9_-]{43}$/;
const PATH = /(?:^|\/)m\/([^/?#\s]+)\/?(?:\?[^#\s]*)?(?:#(\S*))?$/i;

/**
 * A meeting id as somebody typed or spoke it: case, spaces and dashes do not matter; `o` is 0, `i` and `l` are 1
 * (Crockford base32 decodes them so).
 */
export function readMeetingId(text: string): MeetingId | null {
  const plain = text.toLowerCase().replace(/[\s-]/g, '').replace(/o/g, '0').replace(/[il]/g, '1');
  const groups = plain.match(/.{4}/g);
  if (plain.length !== 16 || !groups) return null;
  const parsed = MeetingId.safeParse(groups.join('-'));
  return parsed.success ? parsed.data : null;
}

/** The secret of a fragment, null where there is none or it is damaged. */
export function readSecret(fragment: string): string | null {
  const text = fragment.startsWith('#') ? fragment.slice(1) : fragment;
  return SECRET.test(text) ? text : null;
}

/**
 * Reads any pasted form: a URL with or without scheme and origin, `id#secret`, or the id alone; surrounding words,
 * angle brackets and a full stop at the end do not matter.
 * @returns null if none of these is in the text, or if a fragment is there and is no secret (a link that was cut off)
 */
export function readInvite(text: string): PastedInvite | null {
  const trimmed = text.trim();
  const candidates = [trimmed, ...trimmed.split(/[\s<>"'()]+/)].map((part) => part.replace(/[.,;:!?]+$/, ''));
  for (const candidate of candidates) {
    const found = readOne(candidate);
    if (found) return found;
  }
  return null;
}

function readOne(text: string): PastedInvite | null {
  const link = PATH.exec(text);
  const hash = text.indexOf('#');
  const idText = link?.[1] ?? (hash < 0 ? text : text.slice(0, hash));
  const fragment = link ? (link[2] ?? '') : hash < 0 ? '' : text.slice(hash + 1);
  const meeting = readMeetingId(decode(idText));
  if (!meeting) return null;
  if (fragment === '') return { meeting, secret: null };
  const secret = readSecret(fragment);
  return secret === null ? null : { meeting, secret };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The address of a meeting on this server, with the secret in the fragment. */
export function inviteUrl(origin: string, meeting: MeetingId, secret: string | null): string {
  return `${origin}/m/${meeting}${secret === null ? '' : `#${secret}`}`;
}
