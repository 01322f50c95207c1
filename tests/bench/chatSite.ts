/** Where chats are measured: the real server with the product's chat in a bare page, and y-webrtc's page with its own signalling. */
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { build } from 'vite';
import { sharedConfig } from '../../vite.config.ts';
import { launchBrowser, openContext } from '../support/browser.ts';
import { freePort } from '../support/namespace.ts';
import { servePage } from '../support/pageServer.ts';
import { startApp } from '../support/startApp.ts';
import { bundle } from './bundle.ts';

export interface ChatSite {
  readonly browser: Browser;
  readonly dataDir: string;
  /** Address of y-webrtc's own signalling. */
  readonly signaling: string;
  /** A page of the product's origin, in a browser profile of its own. */
  product(): Promise<Page>;
  /** A page of y-webrtc's, in a browser profile of its own: within one, tabs would not need the network. */
  stock(): Promise<Page>;
  close(): Promise<void>;
}

/** Builds `pages/productChat.ts` with the product's own settings, its worker beside it. */
async function buildProduct(folder: string): Promise<void> {
  const shared = sharedConfig();
  await build({
    ...shared,
    configFile: false,
    logLevel: 'error',
    publicDir: false,
    build: {
      ...shared.build,
      outDir: folder,
      rolldownOptions: {
        input: fileURLToPath(new URL('pages/productChat.ts', import.meta.url)),
        output: { entryFileNames: 'chat.js' },
      },
    },
  });
  writeFileSync(
    join(folder, 'index.html'),
    '<!doctype html><html lang="en"><title>Chat</title><script type="module" src="/chat.js"></script></html>',
  );
}

async function startSignaling(): Promise<{ url: string; close: () => void }> {
  const port = await freePort();
  const server = fork(new URL('../../node_modules/y-webrtc/bin/server.js', import.meta.url), {
    env: { ...process.env, PORT: String(port) },
    stdio: 'pipe',
  });
  await new Promise((resolve) => server.stdout!.once('data', resolve));
  return { url: `ws://127.0.0.1:${port}`, close: () => void server.kill() };
}

export async function openChatSite(): Promise<ChatSite> {
  const folder = mkdtempSync(join(tmpdir(), 'parley-chat-'));
  await buildProduct(folder);
  const [app, signaling, stock, browser] = await Promise.all([
    startApp({ PARLEY_CLIENT: folder }),
    startSignaling(),
    bundle(new URL('pages/stockChat.ts', import.meta.url)).then((script) =>
      servePage({
        '/': '<!doctype html><html lang="en"><title>y-webrtc</title><script type="module" src="/chat.js"></script></html>',
        '/chat.js': script,
      }),
    ),
    launchBrowser(),
  ]);
  const openPage = async (origin: string, name: 'productChat' | 'stockChat'): Promise<Page> => {
    const { context } = await openContext(browser);
    const page = await context.newPage();
    await page.goto(origin);
    await page.waitForFunction((name) => name in globalThis, name);
    return page;
  };
  return {
    browser,
    dataDir: app.dataDir,
    signaling: signaling.url,
    product: () => openPage(app.url, 'productChat'),
    stock: () => openPage(stock.origin, 'stockChat'),
    async close() {
      await browser.close();
      signaling.close();
      await Promise.all([app.close(), stock.close()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
