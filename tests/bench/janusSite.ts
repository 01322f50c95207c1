/** Calls through Janus on pages of ours (pages/janusCall.ts), and the rooms for them. */
import { randomInt } from 'node:crypto';
import { servePage } from '../support/pageServer.ts';
import type { Call, Stage } from './appCall.ts';
import { closePages, newPage } from './appCall.ts';
import { bundle } from './bundle.ts';
import { startJanus, type Janus } from './janus.ts';

export interface JanusSite {
  readonly janus: Janus;
  /** A call of so many in a room of its own, each joining when those before are seen. */
  call(stage: Stage, count: number): Promise<Call>;
  close(): Promise<void>;
}

export async function serveJanusCall(): Promise<JanusSite> {
  const [script, janus] = await Promise.all([bundle(new URL('pages/janusCall.ts', import.meta.url)), startJanus()]);
  const site = await servePage({
    '/': '<!doctype html><html lang="en"><title>Janus call</title><body><video muted autoplay></video><script type="module" src="/call.js"></script></body></html>',
    '/call.js': script,
  });
  return {
    janus,
    async call(stage, count) {
      const room = await openRoom(janus.url, count);
      const pages: Call['pages'] = [];
      const joins: number[][] = [];
      for (let i = 0; i < count; i++) {
        const { page } = await newPage(stage);
        pages.push(page);
        await page.goto(site.origin);
        await page.evaluate((options) => janusCall.prepare(options), { url: janus.url, room });
        joins.push(await page.evaluate((others) => janusCall.join(others), i));
      }
      return { pages, joins, close: () => closePages(pages) };
    },
    async close() {
      await Promise.all([site.close(), janus.close()]);
    },
  };
}

/** With a session of its own, which need not live as long as the room. */
async function openRoom(url: string, publishers: number): Promise<number> {
  const socket = new WebSocket(url, 'janus-protocol');
  await new Promise((resolve) => (socket.onopen = resolve));
  const ask = (message: object): Promise<{ data?: { id: number }; plugindata?: { data: { videoroom: string } } }> => {
    socket.send(JSON.stringify({ ...message, transaction: 'room' }));
    return new Promise((resolve) => (socket.onmessage = ({ data }) => resolve(JSON.parse(String(data)))));
  };
  try {
    const session_id = (await ask({ janus: 'create' })).data!.id;
    const plugin = 'janus.plugin.videoroom';
    const handle_id = (await ask({ janus: 'attach', session_id, plugin })).data!.id;
    const room = randomInt(1, 2 ** 31);
    const body = { request: 'create', room, publishers, videocodec: 'vp8', audiocodec: 'opus' };
    const made = await ask({ janus: 'message', session_id, handle_id, body });
    if (made.plugindata?.data.videoroom !== 'created') throw new Error(`no room: ${JSON.stringify(made)}`);
    return room;
  } finally {
    socket.close();
  }
}
