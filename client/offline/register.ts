/** Lets the browser keep the app, so that it opens without a network (serviceWorker.ts). Fetched when the page has nothing else to do. */
import { scriptUrl } from '../e2ee/trusted.ts';

const ADDRESS = '/serviceWorker.js';

export async function keepOffline(): Promise<void> {
  if (!('serviceWorker' in navigator)) return;
  // Where the browser keeps nothing, as in some private windows, the app needs its server.
  await navigator.serviceWorker.register(scriptUrl(ADDRESS), { updateViaCache: 'none' }).catch(() => undefined);
}
