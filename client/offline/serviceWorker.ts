/**
 * Keeps the app itself in this browser, so that it opens without a network: whoever reads or writes offline does it in an app.
 *
 * A build is kept whole or not at all: its list names each file with its hash (vite.config.ts), and what does not fit is not kept. While
 * there is a server, the page comes from it; only parts that are named by their hash are taken from here. A server that was wrong once leaves nothing that outlives its
 * being right again: what lies here is read before it is believed, and of two files with one name the server's last build has its own. No address is kept but those
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
/** Holds the list of the server's last build. */
const LAST = 'parley last build';
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
    event.respondWith(fetch(request).catch(async () => (await found(pathname)) ?? Response.error()));
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
  return (await found(pathname)) ?? fetch(request);
}

/** Takes in what we lack of the server's build: all that is not as its list says, whoever has put it here. */
async function keep(): Promise<void> {
  const answer = await fetch(LIST, { cache: 'no-cache' });
  const list = await answer.clone().text();
  const build = buildFrom(list);
  if (!answer.ok || build === null || (await sha256(lines(build))) !== build.hash)
    throw new TypeError('no list of a build');
  const name = NAME + build.hash;
  const cache = await caches.open(name);
  const files = Object.entries(build.files);
  while (files.length > 0) await Promise.all(files.splice(0, AT_ONCE).map((file) => take(cache, ...file)));
  await cache.put(LIST, answer.clone());
  await (await caches.open(LAST)).put(LIST, answer);
  await Promise.all((await builds()).slice(BUILDS).map((one) => caches.delete(one)));
}

async function take(cache: Cache, file: string, hash: string): Promise<void> {
  const address = `/${file}`;
  const isRight = async (one: Response | undefined): Promise<boolean> =>
    one?.ok === true && (await sha256(await one.clone().arrayBuffer())) === hash;
  if (await isRight(await cache.match(address))) return;
  // A part that did not change has its name of before.
  const kept = file.startsWith('assets/') ? await found(address) : undefined;
  // Where that is another file, the browser's own cache may have it too.
  const fetched = () => fetch(address, { cache: kept === undefined ? 'no-cache' : 'reload' });
  const response = kept !== undefined && (await isRight(kept)) ? kept : await fetched();
  if (!(await isRight(response))) throw new TypeError('not what the list names');
  await cache.put(address, response);
}

/** Of the newest build that has it. */
async function found(address: string): Promise<Response | undefined> {
  for (const name of await builds()) {
    const kept = await (await caches.open(name)).match(address);
    if (kept !== undefined) return kept;
  }
  return undefined;
}

/** @returns the build that came last and is whole */
async function newest(): Promise<Cache | null> {
  for (const name of await builds()) {
    const cache = await caches.open(name);
    if ((await cache.match(LIST)) !== undefined) return cache;
  }
  return null;
}

/** Names of what is kept: the server's last, then those that came last. */
async function builds(): Promise<string[]> {
  const names = (await caches.keys()).filter((name) => name.startsWith(NAME)).reverse();
  const list = await (await caches.open(LAST)).match(LIST);
  const last = list && NAME + (buildFrom(await list.text())?.hash ?? '');
  return names.sort((a, b) => Number(b === last) - Number(a === last));
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
