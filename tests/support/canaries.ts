/** Words and secrets that nobody but members may see, and a search for them in any form that a leak might have. */

export interface Canary {
  readonly name: string;
  /** A text is looked for in UTF-8 and UTF-16, bytes as they are. */
  readonly is: string | Uint8Array;
}

export interface Form {
  readonly encoding: string;
  readonly bytes: Buffer;
}

/** A canary shorter than this is found by chance. */
const LEAST_BYTES = 6;

/** Every form in which a canary is looked for. */
export function formsOf({ name, is }: Canary): Form[] {
  if (is.length < LEAST_BYTES) throw new RangeError(`${name} is too short to be told from chance`);
  const plain: Form[] =
    typeof is === 'string'
      ? [
          { encoding: 'utf-8', bytes: Buffer.from(is, 'utf8') },
          { encoding: 'utf-16le', bytes: Buffer.from(is, 'utf16le') },
          { encoding: 'utf-16be', bytes: Buffer.from(is, 'utf16le').swap16() },
        ]
      : [{ encoding: 'raw', bytes: Buffer.from(is) }];
  return plain.flatMap(({ encoding, bytes }) => [
    { encoding, bytes },
    { encoding: `hex of ${encoding}`, bytes: Buffer.from(bytes.toString('hex')) },
    { encoding: `HEX of ${encoding}`, bytes: Buffer.from(bytes.toString('hex').toUpperCase()) },
    ...base64Forms(bytes, 'base64', encoding),
    ...base64Forms(bytes, 'base64url', encoding),
  ]);
}

/** What the bytes look like inside of a longer text, wherever they begin in a group of three. */
function base64Forms(bytes: Buffer, alphabet: 'base64' | 'base64url', of: string): Form[] {
  return [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString(alphabet);
    // Characters that hang on the neighbours, too, are left out.
    const [from, to] = [Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6)];
    return { encoding: `${alphabet} of ${of}, at ${before}`, bytes: Buffer.from(text.slice(from, to)) };
  });
}

/** @returns "canary as encoding" for each that is there */
export function findCanaries(haystack: Buffer, canaries: readonly Canary[]): string[] {
  return canaries.flatMap((canary) =>
    formsOf(canary).flatMap(({ encoding, bytes }) =>
      haystack.includes(bytes) ? [`${canary.name} as ${encoding}`] : [],
    ),
  );
}
