/** The chat when somebody uses it: in real Chromium, under the product's policy, against a façade that writes down what it is asked. */
import { readFileSync } from 'node:fs';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser, openContext, type Watched } from '../../support/browser.ts';
import { faultsOf } from './axe.ts';
import type { FakeChat } from './fixtures/fakeChat.svelte.ts';
import { type FixturePage, serveFixtures } from './fixturePage.ts';

declare global {
  interface Window {
    fakeChat: FakeChat;
    fakeMeeting: { view: unknown };
    broken?: unknown;
  }
}

let fixtures: FixturePage;
let browser: Browser;
let context: BrowserContext;
let watched: Watched;
let page: Page;
/** What most tests look from, one after the other: what it has loaded once is there at once. */
let kept: Awaited<ReturnType<typeof openContext>> | undefined;

beforeAll(async () => {
  fixtures = await serveFixtures();
  browser = await launchBrowser();
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await fixtures?.close();
});

afterEach(async () => {
  if (context !== kept?.context) return context?.close();
  // The next page is another person's.
  await page.evaluate(() => localStorage.clear());
  await page.close();
});

/** @param options with any, in a context of its own */
async function open(state: string, options: Parameters<typeof openContext>[1] = {}, query = ''): Promise<void> {
  const make = () =>
    openContext(browser, {
      origin: fixtures.origin,
      viewport: { width: 1280, height: 800 },
      permissions: ['clipboard-read', 'clipboard-write'],
      reducedMotion: 'reduce',
      ...options,
    });
  ({ context, watched } = Object.keys(options).length > 0 ? await make() : (kept ??= await make()));
  Object.assign(watched, { consoleErrors: [], cspViolations: [], outsideRequests: [] } satisfies Watched);
  page = await context.newPage();
  await page.goto(`${fixtures.origin}/?state=${state}${query}`);
  await page.locator('#app > *').first().waitFor();
}

/** Opens a meeting, and its chat. */
async function chat(name: string, options: Parameters<typeof openContext>[1] = {}, query = ''): Promise<void> {
  await open(`live-chat-${name}`, options, query);
  await openSheet();
}

async function openSheet(): Promise<void> {
  await page.getByTestId('control-chat').click();
  await page.getByTestId('chat-input').waitFor();
}

const calls = (name: string): Promise<unknown[]> =>
  page.evaluate((wanted) => window.calls.filter((call) => call.name === wanted).map((call) => call.args), name);

const messageOf = (id: string) => page.locator(`[data-key="${id}"]`);
const focused = (): Promise<string | null> =>
  page.evaluate(() => {
    const element = document.activeElement as HTMLElement | null;
    return element?.dataset['key'] ?? element?.dataset['testid'] ?? null;
  });
async function tool(id: string, name: string): Promise<void> {
  await messageOf(id).hover();
  await messageOf(id).getByTestId(name).click();
}
const input = () => page.getByTestId('chat-input');
const fromEnd = (): Promise<number> =>
  page.getByTestId('chat-list').evaluate((list) => list.scrollHeight - list.scrollTop - list.clientHeight);

describe('writing', () => {
  test('Enter sends, Shift and Enter make a line, and one stays where one writes', async () => {
    await chat('talk');
    await expect.poll(focused).toBe('chat-input');
    await page.keyboard.type('one');
    await page.keyboard.press('Shift+Enter');
    await page.keyboard.type('two');
    await page.keyboard.press('Enter');
    expect(await calls('chat.send')).toEqual([[{ text: 'one\ntwo', replyTo: null, to: null }]]);
    expect((await calls('chat.typing')).length).toBeGreaterThan(0);
    expect(await input().inputValue()).toBe('');
    expect(await focused()).toBe('chat-input');
    await page.getByText('Waiting to be sent').waitFor();
    await expect.poll(fromEnd).toBeLessThan(2);
  });

  test('nothing is sent where nothing is written, nor what is too long, and that is said', async () => {
    await chat('talk');
    await input().fill('  \n ');
    await page.keyboard.press('Enter');
    await input().fill('a'.repeat(8_003));
    await page.getByText('3 characters too many').waitFor();
    await page.keyboard.press('Enter');
    await page.getByTestId('chat-send').click({ force: true });
    expect(await calls('chat.send')).toEqual([]);
    await input().fill('a'.repeat(7_990));
    await page.getByText('10 characters left').waitFor();
  });

  test('the field grows with its words up to eight lines', async () => {
    await chat('talk');
    const height = async (lines: number): Promise<number> => {
      await input().fill(Array(lines).fill('a').join('\n'));
      return (await input().boundingBox())!.height;
    };
    const [one, three, eight, twenty] = [await height(1), await height(3), await height(8), await height(20)];
    expect(three).toBeGreaterThan(one + 30);
    expect(eight).toBeGreaterThan(three + 60);
    expect(twenty).toBeLessThan(eight + 4);
  });

  test('a draft is there when the sheet opens again', async () => {
    await chat('talk');
    await input().fill('not yet');
    await page.keyboard.press('Escape');
    await page.getByTestId('chat-sheet').waitFor({ state: 'detached' });
    await page.keyboard.press('c');
    await expect.poll(() => input().inputValue()).toBe('not yet');
  });

  test('on a touch screen Enter is a line, and the button sends', async () => {
    await chat('talk', { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
    await input().tap();
    await page.keyboard.type('a');
    await page.keyboard.press('Enter');
    await page.keyboard.type('b');
    expect(await calls('chat.send')).toEqual([]);
    await page.getByTestId('chat-send').tap();
    expect(await calls('chat.send')).toEqual([[{ text: 'a\nb', replyTo: null, to: null }]]);
  });

  test('names are offered after an @, and taken by keys', async () => {
    await chat('talk');
    await page.keyboard.type('hi @');
    await page.getByTestId('chat-mentions').waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    expect(await input().inputValue()).toBe('hi @Cleo Martínez ');
    await page.keyboard.type('@every');
    await page.keyboard.press('Tab');
    expect(await input().inputValue()).toBe('hi @Cleo Martínez @everyone ');
    await page.keyboard.type('@b');
    await page.keyboard.press('Escape');
    await page.getByTestId('chat-mentions').waitFor({ state: 'detached' });
    expect(await page.getByTestId('chat-sheet').count()).toBe(1);
    await page.keyboard.press('Enter');
    expect(await calls('chat.send')).toMatchObject([[{ text: 'hi @Cleo Martínez @everyone @b' }]]);
    const shown = page.locator('.mention').last();
    expect(await shown.textContent()).toBe('@everyone');
  });

  test('an emoji goes where the caret is', async () => {
    await chat('talk');
    await input().fill('ab');
    await page.keyboard.press('ArrowLeft');
    await page.getByTestId('chat-emoji').click();
    await page.locator('.emoji-picker').getByText('🎉').click();
    expect(await input().inputValue()).toBe('a🎉b');
  });

  test('for one person only, said before and after', async () => {
    // A clock is that of all pages of a context.
    await chat('talk', { reducedMotion: 'reduce' });
    await page.getByTestId('chat-to').focus();
    await page.keyboard.type('Only Ben');
    await page.getByTestId('chat-secret').getByText('Only Ben Okafor can read this').waitFor();
    expect(await input().getAttribute('placeholder')).toBe('Write to Ben Okafor only');
    const described = (await input().getAttribute('aria-describedby'))!.split(' ')[0]!;
    expect(await page.locator(`[id="${described}"]`).innerText()).toBe('Only Ben Okafor can read this');
    await input().fill('psst');
    await page.keyboard.press('Enter');
    expect(await calls('chat.send')).toEqual([[{ text: 'psst', replyTo: null, to: 'ben' }]]);
    await page.getByTestId('chat-private').last().getByText('Only you and Ben Okafor').waitFor();
    expect(await calls('chat.typing')).toEqual([]);
    expect(await messageOf('own0').getAttribute('aria-labelledby')).not.toBeNull();
    await page.getByRole('article', { name: 'Only you and Ben Okafor' }).last().waitFor();
    // What is begun stays with whoever leaves: what was meant for one does not go to all. What comes after it does, and that is said.
    await page.clock.install();
    await input().fill('begun');
    await page.evaluate(() =>
      window.fakeChat.change({ people: window.fakeChat.view.people.map((one) => ({ ...one, here: one.self })) }),
    );
    await page.clock.fastForward(6000);
    expect(await page.getByTestId('chat-to').inputValue()).toBe('ben');
    await input().fill('');
    await page.clock.fastForward(6000);
    await page.getByText('Ben Okafor has left. You write to everybody again.').waitFor();
    expect(await page.getByTestId('chat-to').inputValue()).toBe('');
  });

  test('what cannot be written is in the field again, for whom it was, and that is said', async () => {
    await chat('talk');
    await page.evaluate(() => (window.fakeChat.result = 'noCard'));
    await tool('secret', 'chat-reply');
    await input().fill('do not lose me');
    await page.keyboard.press('Enter');
    await page.getByText('It could not be locked for this person alone').waitFor();
    expect(await input().inputValue()).toBe('do not lose me');
    expect(await page.getByTestId('chat-to').inputValue()).toBe('ben');
    await page.getByTestId('chat-context').waitFor();
    await page.evaluate(() => (window.fakeChat.result = 'failed'));
    await page.keyboard.press('Enter');
    await page.getByText('This browser could not keep it').waitFor();
    expect(await input().inputValue()).toBe('do not lose me');
    await page.evaluate(() => (window.fakeChat.result = 'written'));
    await page.keyboard.press('Enter');
    await expect.poll(() => page.getByTestId('chat-problem').count()).toBe(0);
    const sent = { text: 'do not lose me', replyTo: 'secret', to: 'ben' };
    expect(await calls('chat.send')).toEqual([[sent], [sent], [sent]]);
    expect(await input().inputValue()).toBe('');
  });

  test('what answers between two is not told to all: to whom is chosen anew, and the answer is one no more', async () => {
    await chat('talk');
    await tool('secret', 'chat-reply');
    await page.getByTestId('chat-context').waitFor();
    await page.getByTestId('chat-to-leave').click();
    expect(await page.getByTestId('chat-context').count()).toBe(0);
    await input().fill('for all');
    await page.keyboard.press('Enter');
    expect(await calls('chat.send')).toEqual([[{ text: 'for all', replyTo: null, to: null }]]);
    // A change of what is between two says so as well.
    await tool('secret2', 'chat-more');
    await page.getByTestId('chat-edit').click();
    await page.getByTestId('chat-secret').getByText('Only Ben Okafor can read this').waitFor();
  });
});

describe('with a message', () => {
  test('one answers, and the quoted line leads back', async () => {
    await chat('talk');
    await tool('me', 'chat-reply');
    await expect.poll(focused).toBe('chat-input');
    await page.keyboard.type('good');
    await page.keyboard.press('Enter');
    expect(await calls('chat.send')).toEqual([[{ text: 'good', replyTo: 'me', to: null }]]);
    await messageOf('own0').getByTestId('chat-quoted').click();
    await expect.poll(() => messageOf('me').getAttribute('class')).toContain('shown');
  });

  test('an answer to what only two can read goes to one alone', async () => {
    await chat('talk');
    await tool('secret', 'chat-reply');
    expect(await page.getByTestId('chat-to').inputValue()).toBe('ben');
  });

  test('Escape leaves the answer, then the chat', async () => {
    await chat('talk');
    await tool('me', 'chat-reply');
    await page.getByTestId('chat-context').waitFor();
    await expect.poll(focused).toBe('chat-input');
    await page.keyboard.press('Escape');
    await page.getByTestId('chat-context').waitFor({ state: 'detached' });
    await page.keyboard.press('Escape');
    await page.getByTestId('chat-sheet').waitFor({ state: 'detached' });
  });

  test('ArrowUp in an empty field changes the last of one’s own', async () => {
    await chat('talk');
    await expect.poll(focused).toBe('chat-input');
    await page.keyboard.press('ArrowUp');
    expect(await input().inputValue()).toBe('I will send the final version this afternoon.');
    // The caret goes to the end with the next frame; whoever fills the field selects all of it first.
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    await input().fill('Tomorrow.');
    await page.keyboard.press('Enter');
    expect(await calls('chat.edit')).toEqual([['last', 'Tomorrow.']]);
    await messageOf('last').getByText('edited', { exact: true }).waitFor();
  });

  test('deleting is asked about, and leaves a line', async () => {
    await chat('talk');
    await tool('last', 'chat-more');
    await page.getByTestId('chat-delete').click();
    await page.getByTestId('confirm').waitFor();
    expect(await calls('chat.remove')).toEqual([]);
    await page.getByTestId('confirm-action').click();
    expect(await calls('chat.remove')).toEqual([['last']]);
    await messageOf('last').getByText('Message deleted').waitFor();
  });

  test('what could not be kept is said, and can be tried again', async () => {
    await chat('talk');
    await page.evaluate(() => window.fakeChat.change({ undone: 'deletion' }));
    await page.getByTestId('chat-undone').getByText('the message is still there for everybody').waitFor();
    await page.getByTestId('chat-redo').click();
    expect(await calls('chat.redo')).toEqual([[]]);
    await page.getByTestId('chat-undone').waitFor({ state: 'detached' });
  });

  test('one reacts, and takes it back', async () => {
    await chat('talk');
    await tool('me', 'chat-react');
    await page.locator('.emoji-picker').getByText('👍').click();
    const chip = messageOf('me').getByTestId('chat-reaction');
    await chip.waitFor();
    expect(await chip.getAttribute('aria-label')).toBe('👍 1: You');
    expect(await chip.getAttribute('aria-pressed')).toBe('true');
    await chip.click();
    await chip.waitFor({ state: 'detached' });
    expect(await calls('chat.react')).toEqual([
      ['me', '👍'],
      ['me', '👍'],
    ]);
  });

  test('its text is copied', async () => {
    await chat('talk');
    await tool('me', 'chat-more');
    await page.getByTestId('chat-copy').click();
    await expect
      .poll(() => page.evaluate(() => navigator.clipboard.readText()))
      .toBe('@Ada Lovelace that works for me');
  });

  test('however many alarms there are, one reads them all, and the place to write stays on the screen', async () => {
    await chat('alarms', { viewport: { width: 390, height: 700 } });
    const [box, banners] = [await input().boundingBox(), page.locator('[role=status]:has([data-testid=chat-alarm])')];
    expect(box!.y + box!.height).toBeLessThan(700);
    await banners.focus();
    await page.keyboard.press('End');
    await expect.poll(() => page.getByTestId('chat-full').isVisible()).toBe(true);
    await expect.poll(() => banners.evaluate((one) => one.scrollTop)).toBeGreaterThan(0);
  });

  test('however much is on its way, what was said last and the place to write stay on the screen', async () => {
    for (const height of [700, 480]) {
      await chat('staged', { viewport: { width: 390, height } });
      const [list, box] = [await page.getByTestId('chat-list').boundingBox(), await input().boundingBox()];
      expect(list!.height, `${height} px`).toBeGreaterThan(height / 10);
      expect(box!.y + box!.height, `${height} px`).toBeLessThan(height);
    }
  });

  test('what failed is tried again', async () => {
    await chat('offline');
    await page.getByTestId('chat-retry').click();
    expect(await calls('chat.retry')).toEqual([[]]);
  });
});

test('what is begun in the lobby goes on in the meeting', async () => {
  await open('live-chat-talk');
  await page.evaluate(async () => {
    const { view } = window.fakeMeeting;
    await window.showState('lobby-chat');
    Object.assign(window, { joined: () => (window.fakeMeeting.view = view) });
  });
  await page.getByTestId('lobby-chat').click();
  await input().fill('half a sent');
  await page.evaluate(() => (window as unknown as { joined: () => void }).joined());
  await page.getByTestId('lobby-chat').waitFor({ state: 'detached' });
  await openSheet();
  expect(await input().inputValue()).toBe('half a sent');
});

describe('reading', () => {
  test('goes on where it stopped, also for who has written since they came', async () => {
    await chat('many');
    await input().fill('mine');
    await page.keyboard.press('Enter');
    await expect.poll(async () => (await calls('chat.send')).length).toBe(1);
    await page.keyboard.press('Escape');
    await page.getByTestId('chat-sheet').waitFor({ state: 'detached' });
    await page.evaluate(() => window.fakeChat.arrive('meanwhile'));
    await openSheet();
    await page.getByTestId('chat-unread').waitFor();
  });

  test('the badge counts, reading goes on where it stopped, and what was seen is told', async () => {
    await open('live-chat-unread');
    await page.getByTestId('control-chat').getByText('5', { exact: true }).waitFor();
    await page.keyboard.press('c');
    await page.getByTestId('chat-unread').waitFor();
    await expect.poll(async () => (await calls('chat.seen')).length).toBeGreaterThan(0);
    // It stays while one reads on.
    expect(await page.getByTestId('chat-unread').count()).toBe(1);
  });

  test('it stays at the end while what stands below it comes and goes', async () => {
    await chat('many');
    const isAtEnd = (): Promise<boolean> =>
      page.getByTestId('chat-list').evaluate((list) => list.scrollHeight - list.scrollTop - list.clientHeight < 4);
    await expect.poll(isAtEnd).toBe(true);
    for (const connection of ['offline', 'online', 'connecting', 'online'] as const) {
      await page.evaluate((is) => window.fakeChat.change({ connection: is }), connection);
      await page.waitForTimeout(200);
      expect(await isAtEnd(), connection).toBe(true);
      expect(await page.getByTestId('chat-latest').count(), connection).toBe(0);
    }
  });

  test('it stays at the end at the end, and says what is new above it', async () => {
    await chat('many');
    await expect.poll(fromEnd).toBeLessThan(2);
    await page.evaluate(() => window.fakeChat.arrive('right below'));
    await page.getByTestId('chat-list').getByText('right below').waitFor();
    await expect.poll(fromEnd).toBeLessThan(2);

    await page.getByTestId('chat-list').hover();
    // One turn, and it stays where that leads, whatever is measured meanwhile.
    await page.mouse.wheel(0, -1_500);
    await expect.poll(fromEnd).toBeGreaterThan(400);
    await page.getByTestId('chat-latest').waitFor();
    await page.waitForTimeout(300);
    const before = await fromEnd();
    await page.evaluate(() => window.fakeChat.arrive('far below'));
    await page.getByTestId('chat-latest').getByText('1 new message').waitFor();
    expect(await fromEnd()).toBeGreaterThan(before - 2);
    // Said, though it is not in sight.
    await page.getByTestId('chat-said').getByText('far below').waitFor({ state: 'attached' });
    await page.getByTestId('chat-latest').click();
    await page.getByTestId('chat-list').getByText('far below').waitFor();
    await expect.poll(fromEnd).toBeLessThan(2);
  });

  test('what comes late, far above, is read out, is not passed over, and a button leads to it', async () => {
    await chat('many');
    await expect.poll(fromEnd).toBeLessThan(2);
    await page.evaluate(() => window.fakeChat.arriveLate('from a tunnel'));
    // It alone: nothing that was there before is said again.
    await expect.poll(() => page.getByTestId('chat-said').textContent()).toMatch(/^[^:]+: from a tunnel$/);
    await page.getByTestId('chat-unread-jump').waitFor();
    const unread = () => page.evaluate(() => window.fakeChat.view.unread);
    await page.getByTestId('chat-list').hover();
    await page.mouse.wheel(0, -300);
    await page.waitForTimeout(300);
    await page.getByTestId('chat-latest').click();
    await expect.poll(fromEnd).toBeLessThan(2);
    expect(await unread()).toBe(1);
    await page.getByTestId('chat-unread-jump').click();
    await page.getByTestId('chat-list').getByText('from a tunnel').waitFor();
    await page.getByTestId('chat-unread').waitFor();
    const place = await page.getByTestId('chat-list').evaluate((list) => {
      const message = [...list.querySelectorAll('[data-key]')].find((one) =>
        one.textContent?.includes('from a tunnel'),
      )!;
      const [outer, inner] = [list.getBoundingClientRect(), message.getBoundingClientRect()];
      return [inner.top - outer.top, outer.bottom - inner.bottom];
    });
    for (const space of place) expect(space).toBeGreaterThanOrEqual(0);
    await expect.poll(unread).toBe(0);
  });

  test('searching goes from the newest back, and on', async () => {
    await chat('many');
    await page.getByTestId('chat-search-open').click();
    await page.getByTestId('chat-search').fill('two** 77');
    const count = page.getByTestId('chat-search-count');
    await expect.poll(() => count.textContent()).toMatch(/^\s*(\d+) of \1\s*$/);
    const total = Number(/of (\d+)/.exec((await count.textContent())!)![1]);
    await page.keyboard.press('Enter');
    await expect.poll(() => count.textContent()).toContain(`${total - 1} of ${total}`);
    await page.keyboard.press('Shift+Enter');
    await page.keyboard.press('Shift+Enter');
    await expect.poll(() => count.textContent()).toContain(`1 of ${total}`);
    await page.locator('.message.shown').waitFor();
    await page.getByTestId('chat-search').fill('nowhere to be found');
    await page.getByText('Nothing found').waitFor();
    await page.keyboard.press('Escape');
    await page.getByTestId('chat-search').waitFor({ state: 'detached' });
    expect(await page.getByTestId('chat-sheet').count()).toBe(1);
  });

  test('keys alone lead from message to message, and to what can be done with each', async () => {
    await chat('many');
    await expect.poll(focused).toBe('chat-input');
    for (let step = 0; step < 12 && (await focused()) !== 'many9999'; step++) await page.keyboard.press('Shift+Tab');
    expect(await focused()).toBe('many9999');
    for (let step = 0; step < 30; step++) {
      await page.keyboard.press('ArrowUp');
      await expect.poll(focused).toBe(`many${9_998 - step}`);
    }
    await page.keyboard.press('Enter');
    expect(await focused()).toBe('chat-react');
    await page.keyboard.press('ArrowLeft');
    expect(await focused()).toBe('chat-more');
    // One step back, and not all the way out of the chat.
    await page.keyboard.press('Escape');
    expect(await focused()).toBe('many9969');
    await page.keyboard.press('Enter');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    await page.getByTestId('chat-context').waitFor();
    await expect.poll(focused).toBe('chat-input');
  });

  test('Home and End reach ten thousand messages away', async () => {
    await chat('many');
    await messageOf('many9999').focus();
    await page.keyboard.press('Home');
    await expect.poll(focused).toBe('many0');
    await page.keyboard.press('End');
    await expect.poll(focused).toBe('many9999');
  });

  test('ten thousand messages scroll within a frame, and few are in the page', async () => {
    await chat('many');
    await expect.poll(fromEnd).toBeLessThan(2);
    const figures = await page.getByTestId('chat-list').evaluate(async (list) => {
      const times: number[] = [];
      let long = 0;
      const watch = new PerformanceObserver((entries) => (long += entries.getEntries().length));
      watch.observe({ type: 'longtask' });
      const channel = new MessageChannel();
      const painted = (): Promise<void> =>
        new Promise((resolve) =>
          requestAnimationFrame(() => {
            channel.port1.onmessage = () => resolve();
            channel.port2.postMessage(null);
          }),
        );
      let most = 0;
      for (let step = 0; step < 150; step++) {
        list.scrollTop -= 160;
        const started = performance.now();
        await painted();
        times.push(performance.now() - started);
        most = Math.max(most, list.querySelectorAll('[data-key]').length);
      }
      times.sort((a, b) => a - b);
      watch.disconnect();
      return { median: times[75]!, p95: times[142]!, worst: times[149]!, long, most };
    });
    console.info(`frames while scrolling 10,000 messages: ${JSON.stringify(figures)}`);
    expect(figures.most).toBeLessThan(60);
    // Two frames, and hardly a long task, where the machine is free; it may have other work beside.
    expect(figures.median).toBeLessThan(50);
    expect(figures.long).toBeLessThan(30);
  });
});

describe('terms and copies', () => {
  test('are said in plain words to everybody', async () => {
    await chat('talk');
    await page.getByTestId('chat-menu').click();
    await page.getByTestId('chat-terms-open').click();
    await page.getByText('Whoever has the link, and the password if there is one, can read everything').waitFor();
    await page.getByText('The server keeps it for 30 days').waitFor();
    expect(await page.getByTestId('terms-save').count()).toBe(0);
  });

  test('are chosen by the host', async () => {
    await chat('host');
    await page.getByTestId('chat-menu').click();
    await page.getByTestId('chat-terms-open').click();
    await page.getByTestId('terms-hours').check();
    await page.getByTestId('terms-hours-count').fill('6');
    await page.getByTestId('terms-left').check();
    await page.getByTestId('terms-save').click();
    expect(await calls('chat.setTerms')).toEqual([[{ newcomers: { see: 'hours', hours: 6 }, keepDays: 0 }]]);
    await page.getByTestId('chat-terms').waitFor({ state: 'detached' });
  });

  test.each([
    ['text', 'txt', 'Ada Lovelace: hello'],
    ['json', 'json', '[]'],
  ])('are saved as %s, from this device to this device', async (format, ending, content) => {
    await chat('talk');
    await page.getByTestId('chat-menu').click();
    const [saved] = await Promise.all([
      page.waitForEvent('download'),
      page.getByTestId(`chat-export-${format}`).click(),
    ]);
    expect(saved.suggestedFilename()).toMatch(new RegExp(`^chat-\\d{4}-\\d\\d-\\d\\d\\.${ending}$`));
    expect(readFileSync((await saved.path())!, 'utf8')).toBe(content);
  });
});

describe('all of it', () => {
  test('goes where a host says so twice', async () => {
    await chat('host');
    await page.getByTestId('chat-menu').click();
    await page.getByTestId('chat-clear').click();
    await page.getByText('Delete the whole chat?').waitFor();
    expect(await calls('chat.clear')).toEqual([]);
    await page.getByTestId('confirm-action').click();
    expect(await calls('chat.clear')).toEqual([[]]);
    expect(await calls('chat.remove')).toEqual([]);
  });
});

describe('in the lobby', () => {
  test('the chat is read without joining, and what opens shows its shape at once', async () => {
    await open('lobby-chat');
    await page.getByTestId('lobby-chat').click();
    await page.getByTestId('chat-sheet').waitFor();
    await messageOf('last').waitFor();
    expect(await calls('openChat')).toEqual([[]]);
    expect(await calls('join')).toEqual([]);
  });

  test('without an answer it goes on opening', async () => {
    await open('lobby');
    await page.getByTestId('lobby-chat').click();
    await page.getByTestId('chat-opening').waitFor();
  });
});

describe('what an attacker writes', () => {
  test('runs nothing, loads nothing, and leads nowhere but where it says', async () => {
    await chat('hostile');
    const outside: string[] = [];
    page.on('request', (request) => outside.push(request.url()));
    const hrefs = new Set<string>();
    const shown: string[] = [];
    // From the end to the start, so that every message has been in the page.
    for (let top = Infinity, step = 0; top > 0; step++) {
      expect(step).toBeLessThan(100);
      // At once: rows come and go while the list is measured.
      const links = await page
        .getByTestId('chat-list')
        .locator('a')
        .evaluateAll((found) => found.map((link) => ['href', 'rel', 'target'].map((name) => link.getAttribute(name)!)));
      for (const [href, rel, target] of links) {
        hrefs.add(href!);
        expect(rel).toBe('noopener noreferrer nofollow');
        expect(target).toBe('_blank');
      }
      shown.push((await page.getByTestId('chat-list').textContent()) ?? '');
      top = await page.getByTestId('chat-list').evaluate((list) => {
        const before = list.scrollTop;
        list.scrollTop -= 400;
        return before;
      });
      await page.waitForTimeout(60);
    }
    expect([...hrefs].map((href) => new URL(href).protocol).filter((one) => !/^(https?|mailto):$/.test(one))).toEqual(
      [],
    );
    expect(hrefs.size).toBeGreaterThan(3);
    // To them alone, and after they have left: their name stands in every place that says so.
    await page.getByTestId('chat-to').selectOption('mallory');
    shown.push(await page.getByTestId('chat-secret').innerText(), (await input().getAttribute('placeholder'))!);
    expect(shown.at(-2)).toContain('<img src=x onerror');
    await page.evaluate(() => {
      window.fakeChat.result = 'noCard';
      window.fakeChat.arrive('psst');
    });
    await input().fill('x');
    await page.keyboard.press('Enter');
    await page.getByTestId('chat-problem').waitFor();
    const sheet = page.getByTestId('chat-sheet');
    expect(
      // Small pictures are in the message, and of a type that is ours to say.
      await sheet
        .locator(
          'img:not([src^="data:image/jpeg;base64,"]), script, iframe, object, embed, style, [onerror], [onload], [id^=broken]',
        )
        .count(),
    ).toBe(0);
    expect(await page.evaluate(() => window.broken)).toBeUndefined();
    // As they were written, for all to see.
    expect(shown.join('')).toContain('<img src=x onerror');
    expect(shown.join('')).toContain('(evil.example)');
    expect(shown.join('')).not.toMatch(/[\u202d\u202e\u0000]/);
    expect(outside).toEqual([]);
    expect(watched).toEqual({ consoleErrors: [], cspViolations: [], outsideRequests: [] });
  });
});

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

describe('for all eyes and hands', () => {
  // Colours do not depend on the screen, nor names and roles on either: axe looks at both colours and at both screens, not at all four.
  const LOOKS = [
    ['light desktop', { colorScheme: 'light' }, 'with axe'],
    ['dark desktop', { colorScheme: 'dark' }, null],
    ['light phone', { colorScheme: 'light', ...PHONE }, null],
    ['dark phone', { colorScheme: 'dark', ...PHONE }, 'with axe'],
  ] as const;

  test.each(LOOKS)('%s: readable, reachable, within its bounds', async (_, options, axe) => {
    await chat('talk', options);
    for (const name of ['talk', 'files', 'staged', 'empty', 'offline', 'alarms', 'unread', 'hostile']) {
      if (name === 'talk') {
        await messageOf('last').focus();
        await page.getByTestId('chat-tools').waitFor();
        await page.getByTestId('chat-to').selectOption('ben');
        await page.getByTestId('chat-secret').waitFor();
      } else {
        await page.evaluate((state) => window.showState(state), `live-chat-${name}`);
        await openSheet();
      }
      // Messages are hidden until they have been measured, and take no focus before that.
      if (name !== 'empty') await page.locator('[data-testid="chat-list"] [tabindex="0"]').last().waitFor();
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), name).toBeLessThanOrEqual(0);
      // Axe is a guest here and keeps to no policy: what it is reproached with is not the chat's.
      expect(watched, name).toEqual({ consoleErrors: [], cspViolations: [], outsideRequests: [] });
      if ('hasTouch' in options) expect(await smallTargets(), name).toEqual([]);
      if (axe !== null) expect(await faultsOf(page), name).toEqual([]);
      Object.assign(watched, { consoleErrors: [], cspViolations: [], outsideRequests: [] } satisfies Watched);
    }
  });

  test('what opens over it can be read and reached as well', async () => {
    await chat('talk');
    const faults = async () => (await page.waitForTimeout(250), faultsOf(page));
    await tool('me', 'chat-react');
    await page.locator('.emoji-picker').waitFor();
    expect(await faults(), 'emoji').toEqual([]);
    await page.keyboard.press('Escape');
    await tool('last', 'chat-more');
    await page.getByTestId('chat-delete').waitFor();
    expect(await faults(), 'menu').toEqual([]);
    await page.getByTestId('chat-delete').click();
    await page.getByTestId('confirm').waitFor();
    expect(await faults(), 'deletion').toEqual([]);
    await page.keyboard.press('Escape');
    await page.getByTestId('confirm').waitFor({ state: 'detached' });
    await input().fill('');
    await input().pressSequentially('@');
    await page.getByTestId('chat-mentions').waitFor();
    expect(await faults(), 'mentions').toEqual([]);
  });

  /** Words of links and lines in text are exempt. */
  const smallTargets = (): Promise<string[]> =>
    page.getByTestId('chat-sheet').evaluate((sheet) =>
      [...sheet.querySelectorAll<HTMLElement>('button, select, input, textarea')]
        .map((element) => ({ element, box: element.getBoundingClientRect() }))
        .filter(({ box }) => box.width > 0 && Math.min(box.width, box.height) < 43.5 - 0.5)
        .map(({ element, box }) => `${element.outerHTML.slice(0, 100)} ${box.width.toFixed()}×${box.height.toFixed()}`),
    );

  test('written from the right, names stand at the right and nothing leaves the sheet', async () => {
    await chat('talk', {}, '&dir=rtl');
    const avatar = (await messageOf('last').locator('.avatar').boundingBox())!;
    const text = (await messageOf('last').getByTestId('chat-text').boundingBox())!;
    expect(avatar.x).toBeGreaterThan(text.x + text.width - 1);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  });
});
