/**
 * The Trusted Types policy `parley`: the one place where a string becomes a script's address.
 *
 * Only addresses of this origin pass, so no text that came from a peer or a server can be started as a worker. Beside it the
 * content security policy allows Svelte's own policy for its compiled templates, and no other.
 */

/** Part of the Trusted Types API that is used here; not every browser has it, nor do TypeScript's own types. */
interface PolicyFactory {
  createPolicy(
    name: string,
    rules: { createScriptURL: (url: string) => string },
  ): { createScriptURL(url: string): unknown };
}

function sameOrigin(url: string): string {
  const target = new URL(url, location.href);
  if (target.origin !== location.origin) throw new TypeError('scripts come from this origin only');
  return target.href;
}

const factory = (globalThis as { trustedTypes?: PolicyFactory }).trustedTypes;
const policy = factory?.createPolicy('parley', { createScriptURL: sameOrigin }) ?? { createScriptURL: sameOrigin };

/**
 * Address of a worker, as `new Worker` takes it under `require-trusted-types-for 'script'`.
 * @throws TypeError for another origin
 */
export function trustedScriptUrl(url: string): string {
  // A TrustedScriptURL where the browser has them. `Worker` takes it as it is; TypeScript knows strings only.
  return policy.createScriptURL(url) as string;
}
