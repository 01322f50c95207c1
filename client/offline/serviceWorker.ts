/**
 * Keeps the app itself in this browser, so that it opens without a network: whoever reads or writes offline does it in an app.
 *
 * A build is kept whole or not at all: its list names each file with its hash (vite.config.ts), and what does not fit is not kept. While
 * there is a server, the page comes from it; only parts that are named by their hash are taken from here. No address is kept but those
 * of the list, and nothing that a server answers about meetings. Without imports, so that every browser starts it.
 */

interface Lasting extends Event {
  waitUntil(work: Promise<unknown>): void;
}

interface Fetching extends Lasting {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

/** ServiceWorkerGlobalScope (W3C Service Workers §4.1), which TypeScript knows only without the DOM. */
interface ServiceScope {
  oninstall: ((event: Lasting) => void) | null;
  onactivate: ((event: Lasting) => void) | null;
  onfetch: ((event: Fetching) => void) | null;
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
}

interface Build {
  readonly hash: string;
  readonly files: Readonly<Record<string, string>>;
}

const scope = globalThis as unknown as ServiceScope;

const NAME = 'parley app ';
/** Put last: a build that has it is whole. */
const LIST = '/build.json';
const PAGE = '/index.html';
/** A page that is open may still want parts of the build that it came from. */
const BUILDS = 2;
/** Longer than an answer takes where there is a network worth the name. */
const PATIENCE_MS = 3000;
/** Beside each other: others' pictures come first. */
const AT_ONCE = 3;
/** Many times what we have; another's list would not fill the disk. */
const MOST_FILES = 2000;

scope.oninstall = (event) => event.waitUntil(keep().then(() => scope.skipWaiting()));
scope.onactivate = (event) => event.waitUntil(scope.clients.claim());
scope.onfetch = (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== 'GET' || origin !== location.origin) return;
  if (request.mode === 'navigate') {
    if (pathname === '/' || pathname.startsWith('/m/')) event.respondWith(page(event));
  } else if (pathname.startsWith('/assets/')) event.respondWith(part(request, pathname));
  else if (request.destination === 'image' || request.destination === 'manifest')
    event.respondWith(fetch(request).catch(async () => (await caches.match(pathname)) ?? Response.error()));
};

/** From the server, which may have a newer one; what is kept, where it does not answer or cannot. */
async function page(event: Fetching): Promise<Response> {
  const kept = await newest();
  const answer = await Promise.race([
    fetch(event.request).catch(() => null),
    new Promise<null>((resolve) => setTimeout(resolve, kept === null ? 60_000 : PATIENCE_MS, null)),
  ]);
  if (answer !== null && (answer.ok || kept === null)) {
    event.waitUntil(keep().catch(() => undefined));
    return answer;
  }
  return (await kept?.match(PAGE)) ?? Response.error();
}

async function part(request: Request, pathname: string): Promise<Response> {
  return (await caches.match(pathname)) ?? fetch(request);
}

/** Takes in the server's build, if it is another one than we have. */
async function keep(): Promise<void> {
  const answer = await fetch(LIST, { cache: 'no-cache' });
  const list = await answer.clone().text();
  const build = buildFrom(list);
  if (!answer.ok || build === null || (await sha256(lines(build))) !== build.hash)
    throw new TypeError('no list of a build');
  const name = NAME + build.hash;
  const cache = await caches.open(name);
  if ((await cache.match(LIST)) === undefined) {
    const files = Object.entries(build.files);
    while (files.length > 0) await Promise.all(files.splice(0, AT_ONCE).map((file) => take(cache, ...file)));
    await cache.put(LIST, answer);
  }
  // The one of now is kept whichever came first.
  const others = (await builds()).filter((one) => one !== name);
  await Promise.all(others.slice(0, -(BUILDS - 1)).map((one) => caches.delete(one)));
}

async function take(cache: Cache, file: string, hash: string): Promise<void> {
  const address = `/${file}`;
  if ((await cache.match(address)) !== undefined) return;
  // A part that did not change has its name of before.
  const kept = file.startsWith('assets/') ? await caches.match(address) : undefined;
  const response = kept ?? (await fetch(address, { cache: 'no-cache' }));
  if (!response.ok || (await sha256(await response.clone().arrayBuffer())) !== hash)
    throw new TypeError('not what the list names');
  await cache.put(address, response);
}

/** @returns the build that came last and is whole */
async function newest(): Promise<Cache | null> {
  for (const name of (await builds()).reverse()) {
    const cache = await caches.open(name);
    if ((await cache.match(LIST)) !== undefined) return cache;
  }
  return null;
}

/** Names of what is kept, oldest first. */
async function builds(): Promise<string[]> {
  return (await caches.keys()).filter((name) => name.startsWith(NAME));
}

function buildFrom(text: string): Build | null {
  try {
    const build: unknown = JSON.parse(text);
    return isBuild(build) ? build : null;
  } catch {
    return null;
  }
}

function isBuild(value: unknown): value is Build {
  if (typeof value !== 'object' || value === null || !('hash' in value) || !('files' in value)) return false;
  const { hash, files } = value;
  if (typeof hash !== 'string' || typeof files !== 'object' || files === null) return false;
  const entries = Object.entries(files);
  const isFile = ([name, digest]: [string, unknown]) => /^[\w][\w./-]*$/.test(name) && typeof digest === 'string';
  return entries.length <= MOST_FILES && entries.every(isFile);
}

/** What a build's own hash is taken of. */
function lines({ files }: Build): Uint8Array<ArrayBuffer> {
  const text = Object.entries(files).map(([name, digest]) => `${digest}  ${name}\n`);
  return new TextEncoder().encode(text.join(''));
}

async function sha256(data: BufferSource): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', data));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export {};
