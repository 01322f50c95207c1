/**
 * What is left out of, and asked for in, every session description. Pure text.
 *
 * Applied to our own descriptions before they are set, and to the other's before they are: so a header extension that one browser
 * offers all the same is not negotiated. Codecs are restricted by `setCodecPreferences`, not here.
 */

/** SRTP leaves header extensions readable on the wire; these two tell who speaks (RFC 6464, RFC 6465). */
export const LEVEL_EXTENSIONS = [
  'urn:ietf:params:rtp-hdrext:ssrc-audio-level',
  'urn:ietf:params:rtp-hdrext:csrc-audio-level',
] as const;

/** Opus of a voice: 32 kbit/s, and nothing sent in silence. Order as in RFC 7587 §6.1. */
const VOICE = 'maxaveragebitrate=32000;usedtx=1';
/** Opus of a shared screen: music and films. */
const SCREEN_SOUND = 'maxaveragebitrate=96000;stereo=1;sprop-stereo=1';

/**
 * @param sdp  with CRLF line ends (RFC 8866 §5)
 * @returns    without audio-level extensions; the first audio section asks for voice, the second for the sound of a screen
 */
export function restrictSdp(sdp: string): string {
  const [session = '', ...sections] = sdp.split(/(?=^m=)/m);
  let audio = 0;
  const tuned = sections.map((section) => (section.startsWith('m=audio') ? tuneOpus(section, audio++) : section));
  return [session, ...tuned.map(withoutStrays)]
    .join('')
    .split('\r\n')
    .filter((line) => !(line.startsWith('a=extmap:') && LEVEL_EXTENSIONS.some((uri) => line.includes(uri))))
    .join('\r\n');
}

function tuneOpus(section: string, index: number): string {
  const payload = /^a=rtpmap:(\d+) opus\//im.exec(section)?.[1];
  if (payload === undefined) return section;
  const wanted = index === 0 ? VOICE : SCREEN_SOUND;
  const names = new Set(wanted.split(';').map((one) => one.split('=')[0]));
  const line = new RegExp(`^a=fmtp:${payload} (.*)\\r$`, 'm');
  const present = line.exec(section)?.[1]?.split(';') ?? [];
  const kept = present.filter((one) => one !== '' && !names.has(one.split('=')[0]?.trim()));
  const fmtp = `a=fmtp:${payload} ${[...kept, wanted].join(';')}\r`;
  if (line.test(section)) return section.replace(line, () => fmtp);
  return section.replace(new RegExp(`^a=rtpmap:${payload} opus/.*\\r$`, 'im'), (rtpmap) => `${rtpmap}\n${fmtp}`);
}

/**
 * Drops what is said of formats that the section does not offer. Firefox 153 leaves the feedback lines of codecs that
 * `setCodecPreferences` took out, and Chromium then refuses the whole description ("Failed to parse codecs correctly");
 * tests/e2e/firefox.test.ts tells when this can go.
 */
function withoutStrays(section: string): string {
  const lines = section.split('\r\n');
  const media = /^m=(?:audio|video) \S+ \S+ (.*)$/.exec(lines[0] ?? '');
  if (!media) return section;
  const formats = new Set(media[1]!.split(' '));
  return lines
    .filter((line) => {
      const payload = /^a=(?:rtpmap|fmtp|rtcp-fb):(\d+) /.exec(line)?.[1];
      return payload === undefined || formats.has(payload);
    })
    .join('\r\n');
}
