/**
 * The page's one way to start a script by address: the Trusted Types policy `parley`.
 *
 * The CSP names this policy and no other (docs/design.md, "The client's own honesty"), so a string that somebody smuggled in
 * never becomes a worker. Addresses of another origin are refused here as well.
 */

interface Policy {
  createScriptURL(address: string): unknown;
}

interface PolicyFactory {
  createPolicy(name: string, rules: { createScriptURL: (address: string) => string }): Policy;
}

let policy: Policy | undefined;

/** @throws TypeError for an address of another origin */
function checked(address: string): string {
  const url = new URL(address, location.href);
  if (url.origin !== location.origin) throw new TypeError('scripts come from our own origin');
  return url.href;
}

/**
 * What `new Worker` and `serviceWorker.register` take: a TrustedScriptURL where the browser knows Trusted Types, else the address.
 * @param address of a script of our own, as the bundler names it
 */
export function scriptUrl(address: string): string {
  const { trustedTypes } = globalThis as { trustedTypes?: PolicyFactory };
  if (trustedTypes === undefined) return checked(address);
  // A second policy of one name is refused by the CSP, so it is made once.
  policy ??= trustedTypes.createPolicy('parley', { createScriptURL: checked });
  return policy.createScriptURL(address) as string;
}
