/** The worker that keeps the app: what a server that was wrong once leaves behind, once it is right again. */
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

type Files = Record<string, string>;

/** What of the Cache API the worker uses (W3C Service Workers §5.4), over strings. */
class Caches {
  readonly all = new Map<string, Map<string, string>>();

  async open(name: string) {
    const files = this.all.get(name) ?? new Map<string, string>();
    this.all.set(name, files);
    return {
      match: async (path: string) => (files.has(path) ? new Response(files.get(path)) : undefined),
      put: async (path: string, response: Response) => void files.set(path, await response.text()),
      delete: async (path: string) => files.delete(path),
    };
  }

  async match(path: string) {
    for (const files of this.all.values()) if (files.has(path)) return new Response(files.get(path));
    return undefined;
  }

  keys = async () => [...this.all.keys()];
  delete = async (name: string) => this.all.delete(name);
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** As vite.config.ts writes it. */
function built(files: Files): Files {
  const digests = Object.entries(files).map(([name, text]) => [name, sha256(text)] as const);
  const hash = sha256(digests.map(([name, digest]) => `${digest}  ${name}\n`).join(''));
  return { ...files, 'build.json': JSON.stringify({ hash, files: Object.fromEntries(digests) }) };
}

interface Scope {
  oninstall: (event: { waitUntil: (work: Promise<unknown>) => void }) => void;
  onfetch: (event: object) => void;
}
const scope = globalThis as unknown as Scope;
let caches: Caches;
let server: Files | null;

beforeEach(async () => {
  caches = new Caches();
  vi.stubGlobal('caches', caches);
  vi.stubGlobal('location', { origin: 'https://meet.test' });
  vi.stubGlobal('skipWaiting', async () => undefined);
  vi.stubGlobal('fetch', async (given: string | { url: string }) => {
    const path = new URL(typeof given === 'string' ? given : given.url, 'https://meet.test').pathname;
    if (server === null) throw new TypeError('no network');
    const text = server[path === '/' ? 'index.html' : path.slice(1)];
    return new Response(text ?? 'none', { status: text === undefined ? 404 : 200 });
  });
  vi.resetModules();
  await import('../../../client/offline/serviceWorker.ts');
});
afterEach(() => vi.unstubAllGlobals());

async function install(): Promise<boolean> {
  let work: Promise<unknown> = Promise.resolve();
  scope.oninstall({ waitUntil: (given) => (work = given) });
  return work.then(
    () => true,
    () => false,
  );
}

/** What the browser gets, and everything that goes on afterwards. */
async function get(path: string, mode = 'no-cors'): Promise<string> {
  let answer: Promise<Response> | undefined;
  const works: Promise<unknown>[] = [];
  const url = `https://meet.test${path}`;
  scope.onfetch({
    request: { method: 'GET', url, mode, destination: mode === 'navigate' ? 'document' : 'script' },
    waitUntil: (work: Promise<unknown>) => works.push(work),
    respondWith: (given: Promise<Response>) => (answer = given),
  });
  const text = await (await answer!).text();
  await Promise.all(works);
  return text;
}

const right = built({ 'assets/app-12345678.js': 'right', 'index.html': 'page of app-12345678' });
const wrong = built({ 'assets/app-12345678.js': 'steals', 'index.html': 'page of app-12345678' });

test('opens without a server what the list names, and nothing that does not fit its hash', async () => {
  server = { ...right, 'assets/app-12345678.js': 'damaged' };
  expect(await install()).toBe(false);
  server = right;
  expect(await install()).toBe(true);
  server = null;
  expect(await get('/', 'navigate')).toBe('page of app-12345678');
  expect(await get('/assets/app-12345678.js')).toBe('right');
});

test('a server that was wrong once is forgotten once it is right: another file under the same name takes its place', async () => {
  server = wrong;
  await install();
  server = right;
  await get('/', 'navigate');
  expect(await get('/assets/app-12345678.js')).toBe('right');
  // Wrong again for one visit, though that build came last.
  server = { ...wrong, ...built({ 'assets/app-12345678.js': 'steals more', 'index.html': 'page of app-12345678' }) };
  await get('/', 'navigate');
  server = right;
  await get('/', 'navigate');
  server = null;
  expect(await get('/assets/app-12345678.js')).toBe('right');
});

test('a new worker believes nothing that the former may have left under the name of a build', async () => {
  server = right;
  const { hash } = JSON.parse(right['build.json']!) as { hash: string };
  const planted = await caches.open(`parley app ${hash}`);
  for (const [name, text] of Object.entries({ ...wrong, 'build.json': right['build.json']! }))
    await planted.put(`/${name}`, new Response(text));
  expect(await install()).toBe(true);
  expect(await get('/assets/app-12345678.js')).toBe('right');
});
