/**
 * Headers of every response: what a page of ours may do, and what others may do with it. docs/design.md, section 10.
 *
 * Nothing is loaded from elsewhere and nothing inline runs. `wasm-unsafe-eval` is for libsodium.
 */

const POLICY: Record<string, string> = {
  'default-src': "'none'",
  'script-src': "'self' 'wasm-unsafe-eval'",
  'style-src': "'self'",
  'img-src': "'self' blob: data:",
  'media-src': "'self' blob:",
  'font-src': "'self'",
  'worker-src': "'self'",
  'manifest-src': "'self'",
  'base-uri': "'none'",
  'form-action': "'none'",
  'frame-ancestors': "'none'",
  'require-trusted-types-for': "'script'",
  'trusted-types': 'svelte-trusted-html parley ProseMirrorClipboard',
};

const HEADERS: Record<string, string> = {
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'permissions-policy': [
    'camera=(self)',
    'microphone=(self)',
    'display-capture=(self)',
    'screen-wake-lock=(self)',
    'fullscreen=(self)',
    'speaker-selection=(self)',
    'geolocation=()',
    'payment=()',
    'usb=()',
  ].join(', '),
  // Isolation: no other page shares our process, and timers are precise.
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-resource-policy': 'same-origin',
};

const HSTS = 'max-age=31536000';

/**
 * @param isSecure  people reach us by HTTPS
 * @param hosts     host names with port under which we are reached: some browsers do not take 'self' to mean WebSockets, too
 */
export function securityHeaders(isSecure: boolean, hosts: readonly string[]): Record<string, string> {
  const sockets = [...new Set(hosts)].filter((host) => /^[\w.-]+(:\d+)?$|^\[[\da-f:]+\](:\d+)?$/i.test(host));
  const connect = ["'self'", ...sockets.map((host) => `${isSecure ? 'wss' : 'ws'}://${host}`)].join(' ');
  const policy = Object.entries({ ...POLICY, 'connect-src': connect }).map(([name, value]) => `${name} ${value}`);
  return {
    ...HEADERS,
    'content-security-policy': policy.join('; '),
    ...(isSecure ? { 'strict-transport-security': HSTS } : {}),
  };
}
