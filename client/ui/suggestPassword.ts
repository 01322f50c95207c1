/** A password that can be read out over the phone: 12 characters of Crockford's alphabet (60 bits), in groups of four. */

/** No i, l, o or u: nothing that is mistaken for something else, and no words by accident. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const LENGTH = 12;

/** @param random fills its argument with random bytes; 32 divides 256, so taking five bits of each is even */
export function suggestPassword(random: (bytes: Uint8Array<ArrayBuffer>) => void): string {
  const bytes = new Uint8Array(LENGTH);
  random(bytes);
  const characters = [...bytes].map((byte) => ALPHABET.charAt(byte & 31)).join('');
  return characters.replace(/.{4}(?=.)/g, '$&-');
}
