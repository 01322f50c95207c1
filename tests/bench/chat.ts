/** Row 18: a chat message from one page to another, sealed, signed and proven, against y-webrtc's plain text. */
import type { Page } from 'playwright-core';
import { closePages } from './appCall.ts';
import type { ChatSite } from './chatSite.ts';
import { openChatSite } from './chatSite.ts';
import type { Bench, Figure } from './measure.ts';
import { figure, quantile, takeTurns } from './measure.ts';

/** Slower than the server's pace for one who writes (signal/ws/limits.ts), and so that no message waits for another. */
const PAUSE_MS = 110;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Milliseconds that messages took from the first page to the second, and back. */
export interface Taken {
  readonly there: readonly number[];
  readonly back: readonly number[];
}

/**
 * Two pages' clocks may differ by a constant, which makes one way as much longer as it makes the other shorter.
 * @returns the times of both ways without it, taking the ways for alike
 */
export function withoutSkew({ there, back }: Taken): number[] {
  const skew = (quantile(there, 0.5) - quantile(back, 0.5)) / 2;
  return [...there.map((ms) => ms - skew), ...back.map((ms) => ms + skew)];
}

/** Two who chat. */
interface Talk {
  /** @returns milliseconds from one page's call to the other's having it */
  say(text: string, from: number): Promise<number>;
  /** @throws Error unless both have so many, and nothing is wrong */
  check(count: number): Promise<void>;
  close(): Promise<void>;
}

/** @param direct  by both ways, whichever is faster; else through the server's log alone */
async function productTalk(site: ChatSite, direct: boolean): Promise<Talk> {
  const pages = [await site.product(), await site.product()];
  const entrance = await pages[0]!.evaluate(() => productChat.create());
  const selves: string[] = [];
  for (const [i, page] of pages.entries()) {
    await page.evaluate(([entrance, name]) => productChat.enter(entrance, name), [entrance, `Person ${i}`] as const);
    selves.push((await page.evaluate((direct) => productChat.open(direct), direct)).self);
  }
  const say = async (text: string, from: number): Promise<number> => {
    const at = await pages[from]!.evaluate((text) => productChat.say(text), text);
    const heard = await pages[1 - from]!.evaluate((text) => productChat.heard(text), text);
    if (heard.author !== selves[from]) throw new Error('a message came under another’s name');
    return heard.at - at;
  };
  // The direct way is opened with the first key, and that is made for the first message.
  const before = direct ? 1 : 0;
  if (direct) {
    await say('First', 0);
    for (const page of pages) await page.evaluate(() => productChat.isDirect());
  }
  return {
    say,
    async check(messages) {
      const count = messages + before;
      for (const page of pages) {
        const state = await page.evaluate(() => productChat.state());
        if (state.count !== count || state.alarms.length > 0)
          throw new Error(`${state.count} of ${count} messages, and ${state.alarms.join(' ') || 'no alarm'}`);
      }
    },
    close: () => closePages(pages),
  };
}

/** @throws Error where it takes longer: a bench that waits for ever says nothing */
async function within<T>(ms: number, what: Promise<T>): Promise<T> {
  const late = wait(ms).then(() => {
    throw new Error(`y-webrtc’s two pages did not connect within ${ms} ms`);
  });
  return Promise.race([what, late]);
}

async function stockTalk(site: ChatSite): Promise<Talk> {
  const pages = [await site.stock(), await site.stock()];
  const room = { signaling: site.signaling, room: 'talk' };
  // One after the other: two who announce themselves in the same moment both call the other, and sometimes never connect.
  await pages[0]!.evaluate((room) => stockChat.enter({ ...room, alone: true }), room);
  await within(
    20_000,
    pages[1]!.evaluate((room) => stockChat.enter({ ...room, alone: false }), room),
  );
  const say = async (from: Page, to: Page, text: string): Promise<number> => {
    const at = await from.evaluate((text) => stockChat.say(text), text);
    return (await to.evaluate((text) => stockChat.heard(text), text)) - at;
  };
  return {
    say: (text, from) => say(pages[from]!, pages[1 - from]!, text),
    async check(count) {
      for (const page of pages) {
        const found = await page.evaluate(() => stockChat.count());
        if (found !== count) throw new Error(`y-webrtc: ${found} of ${count} messages`);
      }
    },
    close: () => closePages(pages),
  };
}

export const chat: Bench = {
  row: 18,
  name: 'chat',
  title: 'A chat message, sealed and signed, from one page to another that has it proven',
  async run({ rounds, quick, say }) {
    const messages = quick ? 20 : 100;
    const site = await openChatSite();
    try {
      const talks = {
        sealed: await productTalk(site, false),
        direct: await productTalk(site, true),
        stock: await stockTalk(site),
      };
      let said = 0;
      const measure = async (name: keyof typeof talks): Promise<number[]> => {
        const taken = { there: [] as number[], back: [] as number[] };
        for (let i = 0; i < messages; i++) {
          const from = i % 2;
          const ms = await talks[name].say(`Message ${said++} which has forty letters or so`, from);
          taken[from === 0 ? 'there' : 'back'].push(ms);
          await wait(PAUSE_MS);
        }
        const all = withoutSkew(taken);
        say(`${name}: p50 ${quantile(all, 0.5).toFixed(2)} ms, p99 ${quantile(all, 0.99).toFixed(2)} ms`);
        return all;
      };
      const results = await takeTurns(rounds, ['direct', 'stock', 'sealed'] as const, measure, !quick);
      for (const talk of Object.values(talks)) {
        await talk.check(messages * (quick ? rounds : rounds + 1));
        await talk.close();
      }
      const of = (name: 'direct' | 'sealed', what: string, q: number): Figure =>
        figure(
          `${what}, p${q * 100}`,
          'ms',
          results[name].map((all) => quantile(all, q)),
          results.stock.map((all) => quantile(all, q)),
          { against: 'y-webrtc, plain text', ...(name === 'direct' ? { limit: 1 } : {}) },
        );
      return {
        figures: [
          of('direct', 'in a mesh, directly and through the server', 0.5),
          of('direct', 'in a mesh, directly and through the server', 0.99),
          of('sealed', 'through the server’s log alone', 0.5),
          of('sealed', 'through the server’s log alone', 0.99),
        ],
        checked: [
          'each message came once, under the identity of whoever wrote it, and neither page had an alarm; y-webrtc’s pages had all of theirs',
        ],
      };
    } finally {
      await site.close();
    }
  },
};
