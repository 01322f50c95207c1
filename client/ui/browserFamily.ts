/** Which browser this is, as far as it changes where a permission is given back. Nothing else may depend on it. */

export type BrowserFamily = 'chrome' | 'firefox' | 'safari' | 'ios' | 'android' | 'other';

/** @param userAgent as `navigator.userAgent` gives it; iPads call themselves Macs, so touch points tell them apart */
export function browserFamily(userAgent: string, touchPoints: number): BrowserFamily {
  // Every browser on iOS is Safari inside, and asks in the same place.
  if (/iPhone|iPad|iPod/.test(userAgent) || (/Macintosh/.test(userAgent) && touchPoints > 1)) return 'ios';
  if (/Firefox\//.test(userAgent)) return 'firefox';
  if (/Android/.test(userAgent)) return 'android';
  if (/Chrom(e|ium)\//.test(userAgent)) return 'chrome';
  if (/Safari\//.test(userAgent)) return 'safari';
  return 'other';
}
