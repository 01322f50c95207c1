/** What the screens do when somebody uses them: in real Chromium, against façades that write down what they are asked. */
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { launchBrowser, openContext } from '../../support/browser.ts';
import { type FixturePage, serveFixtures } from './fixturePage.ts';

let fixtures: FixturePage;
let browser: Browser;
let context: BrowserContext;
let page: Page;

beforeAll(async () => {
  fixtures = await serveFixtures();
  browser = await launchBrowser();
  context = await newContext();
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await fixtures?.close();
});

beforeEach(async () => {
  page = await context.newPage();
});

afterEach(async () => {
  if (page.context() !== context) return page.context().close();
  // The next page is another person's.
  await page.evaluate(() => localStorage.clear());
  await page.close();
});

async function newContext(options: BrowserContextOptions = {}): Promise<BrowserContext> {
  const { context } = await openContext(browser, {
    origin: fixtures.origin,
    viewport: { width: 1280, height: 800 },
    permissions: ['clipboard-read', 'clipboard-write'],
    reducedMotion: 'reduce',
    ...options,
  });
  return context;
}

async function show(state: string): Promise<void> {
  await page.goto(`${fixtures.origin}/?state=${state}`);
  await page.locator('#app > *').first().waitFor();
  if (state.startsWith('live')) await page.getByTestId('meeting').waitFor();
}

/** Likewise, with a clock that can be put forward. It is that of all pages of a context, so this one has its own. */
async function showWithClock(state: string, options: BrowserContextOptions = {}): Promise<void> {
  await page.close();
  page = await (await newContext(options)).newPage();
  await page.clock.install();
  await show(state);
}

const pass = (ms: number): Promise<void> => page.clock.fastForward(ms);

/** What the screen asked for, by name; without the devices' coming and going. */
async function calls(name?: string): Promise<unknown[]> {
  const all = await page.evaluate(() => window.calls);
  const wanted = all.filter((call) =>
    name === undefined ? !/^(devices\.|show$)/.test(call.name) : call.name === name,
  );
  return name === undefined ? wanted.map((call) => call.name) : wanted.map((call) => call.args);
}

const focused = (): Promise<string | null> =>
  page.evaluate(() => document.activeElement?.getAttribute('data-testid') ?? null);

describe('home', () => {
  test('makes a meeting of title and password, and opens it with the password at hand', async () => {
    await show('home');
    await page.getByTestId('home-title').fill('  Board  ');
    await page.getByTestId('home-password').fill('over the phone');
    await page.getByTestId('home-create').click();
    expect(await calls('create')).toEqual([[{ title: 'Board', password: 'over the phone', only: null, chat: null }]]);
    expect(await calls('open')).toEqual([['/m/0000-0000-0000-0000#made', 'over the phone']]);
  });

  test('makes a meeting of nothing at all by one key', async () => {
    await show('home');
    await page.getByTestId('home-title').press('Enter');
    expect(await calls('create')).toEqual([[{ title: '', password: null, only: null, chat: null }]]);
  });

  test.each(['relay', 'mesh'])('fixes the way of media to %s where that is chosen among the options', async (only) => {
    await show('home');
    await page.getByTestId('home-options').click();
    expect(await page.getByTestId('way-automatic').isChecked()).toBe(true);
    await page.getByTestId(`way-${only}`).check();
    await page.getByTestId('home-create').click();
    expect(await calls('create')).toEqual([[{ title: '', password: null, only, chat: null }]]);
  });

  test('fixes what newcomers read and how long the server keeps it where that is chosen among the options', async () => {
    await show('home');
    await page.getByTestId('home-options').click();
    expect(await page.getByTestId('terms-all').isChecked()).toBe(true);
    expect(await page.getByTestId('terms-days-count').inputValue()).toBe('30');
    await page.getByTestId('terms-hours').check();
    await page.getByTestId('terms-hours-count').fill('9999');
    await page.getByTestId('terms-left').check();
    expect(await page.getByTestId('terms-hours-count').inputValue()).toBe('720');
    await page.getByTestId('terms-hours-count').fill('8');
    await page.getByTestId('home-create').click();
    const chat = { newcomers: { see: 'hours', hours: 8 }, keepDays: 0 };
    expect(await calls('create')).toEqual([[{ title: '', password: null, only: null, chat }]]);
  });

  test('promises no relay that is not there, and says why', async () => {
    await show('home-no-relay');
    await page.getByTestId('home-options').click();
    await page.getByText('this server has no relay').waitFor();
    expect(await page.getByTestId('way-relay').isDisabled()).toBe(true);
    expect(await page.getByTestId('way-mesh').isDisabled()).toBe(false);
  });

  test('a suggested password is shown, so that it can be noted down', async () => {
    await show('home');
    expect(await page.getByTestId('home-password').getAttribute('type')).toBe('password');
    await page.getByRole('button', { name: 'Suggest one' }).click();
    expect(await page.getByTestId('home-password').getAttribute('type')).toBe('text');
    expect(await page.getByTestId('home-password').inputValue()).toMatch(/^\w{4}-\w{4}-\w{4}$/);
    await page.getByRole('button', { name: 'Hide password' }).click();
    expect(await page.getByTestId('home-password').getAttribute('type')).toBe('password');
  });

  test('is not made twice while it is being made', async () => {
    await show('home-creating');
    // As a person would: playwright itself waits for buttons that say they are disabled.
    await page.getByTestId('home-create').click({ force: true });
    expect(await calls('create')).toEqual([]);
  });

  test('a pasted link opens, anything else says so and keeps the focus', async () => {
    await show('home');
    await page.getByTestId('home-join-input').fill('hello');
    await page.getByTestId('home-join').click();
    await page.getByRole('alert').getByText('not a meeting link').waitFor();
    expect(await focused()).toBe('home-join-input');
    await page.getByTestId('home-join-input').fill('k7dm#secret');
    await page.getByTestId('home-join-input').press('Enter');
    expect(await calls('open')).toEqual([['/m/0000-0000-0000-0000#pasted', null]]);
  });

  test('leads to the chat of a meeting that is known, as well as to its lobby', async () => {
    await show('home-known');
    await page.getByRole('button', { name: 'Chat of Weekly catch-up' }).click();
    await page.getByRole('link', { name: 'Weekly catch-up' }).click();
    const [chat, lobby] = (await calls('open')) as [string, null, boolean][];
    expect([chat?.[2], lobby?.[2]]).toEqual([true, false]);
  });

  test('a removed meeting can be had back', async () => {
    await show('home-known');
    await page.getByRole('button', { name: 'Remove Weekly catch-up from this device' }).click();
    await expect.poll(() => page.getByRole('link', { name: 'Weekly catch-up' }).count()).toBe(0);
    // The focus has moved to the way back.
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'Weekly catch-up' }).waitFor();
    expect(await calls('forget')).toEqual([]);
  });

  test('another identity is drawn only after saying so', async () => {
    await show('home');
    await page.getByTestId('identity-new').click();
    await page.getByRole('heading', { name: 'Draw a new identity' }).waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await expect.poll(focused).toBe('identity-new');
    expect(await calls('replaceIdentity')).toEqual([]);
    await page.getByTestId('identity-new').click();
    await page.getByTestId('identity-confirm').click();
    await page.getByText('This browser has a new identity now.').waitFor();
    expect(await calls('replaceIdentity')).toHaveLength(1);
  });

  test('a removal is final once another follows, or the page goes', async () => {
    await show('home-known');
    await page.getByRole('button', { name: 'Remove Weekly catch-up from this device' }).click();
    await page.getByRole('button', { name: 'Remove Untitled meeting from this device' }).click();
    expect(await calls('forget')).toEqual([['k7dm-2xqp-9rta-4w3e']]);
    await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide')));
    expect(await calls('forget')).toHaveLength(2);
  });
});

describe('lobby', () => {
  test('says whom one’s address is shown to, where the host has fixed that', async () => {
    await show('lobby-relay-only');
    expect(await page.getByTestId('way').textContent()).toContain('shown to the server only');
    await show('lobby');
    expect(await page.getByTestId('way').count()).toBe(0);
  });

  test('asks for devices, and joins under the name by one key', async () => {
    await show('lobby');
    expect(await calls('devices.start')).toHaveLength(1);
    await page.getByTestId('lobby-name').fill('  Grace  ');
    await page.getByTestId('lobby-name').press('Enter');
    expect(await calls('join')).toEqual([['Grace']]);
  });

  test('whoever came to read has the chat at once, and no device before they want to join', async () => {
    await show('lobby-reading');
    await page.getByTestId('chat-list').waitFor();
    expect(await calls('devices.start')).toEqual([]);
    await page.getByTestId('lobby-camera').click();
    expect([await calls('devices.start'), await calls('setOn')]).toEqual([[[]], []]);

    await show('lobby-reading');
    await page.getByTestId('chat-list').waitFor();
    // First a look into the mirror, then in.
    await page.getByTestId('lobby-join').click();
    expect([await calls('devices.start'), await calls('join')]).toEqual([[[]], []]);
    await page.getByTestId('lobby-join').click();
    expect(await calls('join')).toHaveLength(1);

    await show('lobby-reading');
    await page.getByTestId('chat-sheet').getByRole('button', { name: 'Close' }).click();
    await expect.poll(() => calls('devices.start')).toHaveLength(1);
  });

  test('the focus waits where the next thing is to be done', async () => {
    await show('lobby-password');
    expect(await focused()).toBe('lobby-password');
    await show('lobby-first');
    expect(await focused()).toBe('lobby-name');
    await show('lobby');
    expect(await focused()).toBe('lobby-join');
  });

  test('without a name it says what is missing, and goes there', async () => {
    await show('lobby-first');
    await page.getByTestId('lobby-join').click();
    expect(await focused()).toBe('lobby-name');
    await page.getByText('Type a name').waitFor();
    expect(await calls('join')).toEqual([]);
  });

  test('a password is sent, and nothing is while there is none', async () => {
    await show('lobby-password');
    await page.getByTestId('lobby-password-submit').click();
    expect(await focused()).toBe('lobby-password');
    await page.getByTestId('lobby-password').fill('open sesame');
    await page.getByTestId('lobby-password').press('Enter');
    expect(await calls('submitPassword')).toEqual([['open sesame']]);
  });

  test('a wrong password is said in words and tied to its field', async () => {
    await show('lobby-password-wrong');
    const field = page.getByTestId('lobby-password');
    expect(await field.getAttribute('aria-invalid')).toBe('true');
    const described = await field.evaluate(
      (input) => document.getElementById(input.getAttribute('aria-describedby')!)?.textContent,
    );
    expect(described).toContain('Wrong password');
  });

  test('after too many tries it says when, and waits', async () => {
    await show('lobby-password-wait');
    await page.getByText(/try again in 4\d seconds/).waitFor();
    await page.getByTestId('lobby-password').fill('again');
    await page.getByTestId('lobby-password').press('Enter');
    expect(await calls('submitPassword')).toEqual([]);
  });

  test('without a connection it says so, sends nothing, and keeps what was typed', async () => {
    await show('lobby-offline');
    await page.getByText('No connection to the server. Trying again…').waitFor();
    await page.getByTestId('lobby-password').fill('open sesame');
    await page.getByTestId('lobby-password').press('Enter');
    expect(await calls('submitPassword')).toEqual([]);
    expect(await page.getByTestId('lobby-password').inputValue()).toBe('open sesame');
  });

  test('devices are chosen and switched off before anybody sees or hears', async () => {
    await show('lobby');
    await page.getByTestId('device-microphone').selectOption('microphone-2');
    await page.getByTestId('lobby-camera').click();
    await page.getByTestId('lobby-microphone').click();
    expect(await calls('choose')).toEqual([['microphone', 'microphone-2']]);
    expect(await calls('setOn')).toEqual([
      ['camera', false],
      ['microphone', false],
    ]);
  });

  test('words and switches follow what is open, and a device that did not open is named', async () => {
    await show('lobby-refused');
    await page.getByText('The others will see and hear you.').waitFor();
    expect(await page.getByTestId('lobby-microphone').getAttribute('aria-label')).toBe('Mute microphone');
    await page.getByRole('status').getByText('“USB headset” did not open').waitFor();
  });

  test('a block of both is said once, with this browser’s remedy, and asked again for both', async () => {
    await show('lobby-problem-denied');
    const note = page.getByTestId('device-problem');
    expect(await note.count()).toBe(1);
    expect(await note.textContent()).toContain('address bar');
    await note.getByRole('button').click();
    expect(await calls('retry')).toEqual([['camera'], ['microphone']]);
  });

  test('one joins with every device problem there is', async () => {
    await show('lobby-problem-missing');
    await page.getByTestId('lobby-join').click();
    expect(await calls('join')).toHaveLength(1);
  });
});

describe('the meeting’s keys', () => {
  test('switch microphone, camera, screen and hand', async () => {
    await show('live-2');
    for (const key of ['m', 'v', 's', 'h']) await page.keyboard.press(key);
    expect(await calls()).toEqual(['toggleMicrophone', 'toggleCamera', 'toggleScreen', 'toggleHand']);
  });

  test('space talks while it is held, also with the focus on a button that was clicked', async () => {
    await show('live-muted');
    await page.getByTestId('control-hand').click();
    await page.keyboard.down(' ');
    await page.getByText('You are heard while you hold space').waitFor();
    await page.keyboard.up(' ');
    expect(await calls('holdToTalk')).toEqual([[true], [false]]);
    // The button is not pressed a second time by the key coming up.
    expect(await calls('toggleHand')).toHaveLength(1);
  });

  test('space says nothing false where the microphone does not open, and shows why', async () => {
    await show('live-problem');
    await page.keyboard.down(' ');
    await page.getByTestId('devices-sheet').getByTestId('device-problem').waitFor();
    expect(await page.getByText('You are heard while you hold space').count()).toBe(0);
    await page.keyboard.up(' ');
  });

  test('a microphone that is pressed and does not open shows why', async () => {
    await show('live-problem');
    await page.getByTestId('control-microphone').click();
    await page.getByTestId('devices-sheet').getByTestId('device-problem').waitFor();
  });

  test('space lets go when the window loses the focus', async () => {
    await show('live-muted');
    await page.keyboard.down(' ');
    await page.evaluate(() => dispatchEvent(new Event('blur')));
    expect(await calls('holdToTalk')).toEqual([[true], [false]]);
  });

  test('space presses the button that was reached by keyboard', async () => {
    await show('live-2');
    // From the title, where the meeting starts.
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('control-microphone');
    await page.keyboard.press(' ');
    expect(await calls()).toEqual(['toggleMicrophone']);
  });

  test('are listed by ?, do nothing while the list is open, and Escape closes it', async () => {
    await show('live-2');
    await page.keyboard.press('?');
    await page.getByTestId('shortcuts').waitFor();
    await page.keyboard.press('m');
    await page.keyboard.press('Escape');
    await page.getByTestId('shortcuts').waitFor({ state: 'detached' });
    expect(await calls()).toEqual([]);
  });
});

describe('the meeting', () => {
  test('leaves by one press', async () => {
    await show('live-2');
    await page.getByTestId('control-leave').click();
    expect(await calls('leave')).toHaveLength(1);
  });

  test('says of the microphone what is and what a press does', async () => {
    await show('live-2');
    const button = page.getByTestId('control-microphone');
    expect(await button.getAttribute('aria-label')).toBe('Mic on, press to mute');
    await button.click();
    expect(await button.getAttribute('aria-label')).toBe('Muted, press to unmute');
  });

  test('a tile keeps its video element and its playing when the layout and the snapshot change', async () => {
    await show('live-3');
    const same = await page.evaluate(async () => {
      const video = document.querySelector('[data-testid=tile] video') as HTMLVideoElement;
      const stream = video.srcObject;
      const { fakeMeeting } = window as unknown as { fakeMeeting: { view: { tiles: { speaking: boolean }[] } } };
      const [first, , self] = fakeMeeting.view.tiles.map((tile) => ({ ...tile, speaking: true }));
      fakeMeeting.view = { ...fakeMeeting.view, tiles: [first!, self!] };
      await new Promise((resolve) => setTimeout(resolve, 100));
      return document.contains(video) && video.srcObject === stream && !video.paused;
    });
    expect(same).toBe(true);
  });

  test('the bars fade when nobody moves, and come back with the pointer', async () => {
    await showWithClock('live-2');
    const opacity = (): Promise<string> => page.locator('.around').evaluate((bar) => getComputedStyle(bar).opacity);
    await pass(4_000);
    expect(await opacity()).toBe('1');
    await pass(1_500);
    await expect.poll(opacity).toBe('0');
    await page.mouse.move(300, 300);
    await expect.poll(opacity).toBe('1');
  });

  test('a tap on a bar that has faded brings it back, and presses nothing', async () => {
    await showWithClock('live-2', { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
    const opacity = (): Promise<string> => page.locator('.around').evaluate((bar) => getComputedStyle(bar).opacity);
    await pass(5_500);
    await expect.poll(opacity).toBe('0');
    const leave = (await page.getByTestId('control-leave').boundingBox())!;
    await page.touchscreen.tap(leave.x + 20, leave.y + 20);
    await expect.poll(opacity).toBe('1');
    expect(await calls()).toEqual([]);
    await page.touchscreen.tap(leave.x + 20, leave.y + 20);
    await expect.poll(() => calls()).toEqual(['leave']);
  });

  test('the bars stay while a sheet is open', async () => {
    await showWithClock('live-2');
    await page.getByTestId('control-people').click();
    await page.mouse.move(300, 300);
    await pass(5_500);
    // As long as they would take to fade.
    await page.waitForTimeout(500);
    expect(await page.locator('.around').evaluate((bar) => getComputedStyle(bar).opacity)).toBe('1');
  });

  test('all of the bar can be pressed, however much room a sheet leaves it', async () => {
    for (const width of [1280, 960, 870, 390]) {
      await page.setViewportSize({ width, height: 700 });
      await show('live-2');
      if (width > 860) await page.getByTestId('control-people').click();
      const covered = await page.locator('.bar button').evaluateAll(
        (all) =>
          all.filter((button) => {
            const { left, right, top } = button.getBoundingClientRect();
            return document.elementFromPoint((left + right) / 2, top + 20)?.closest('button') !== button;
          }).length,
      );
      expect(covered, `${width} px`).toBe(0);
    }
  });

  test('paused sending goes on when the person says so', async () => {
    await show('live-banners');
    await page.getByTestId('go-on').click();
    await page.getByTestId('play-sound').click();
    expect(await calls()).toEqual(['goOn', 'resumePlayback']);
  });

  test('news goes by itself, a danger stays until it is dismissed', async () => {
    await showWithClock('live-notices');
    expect(await page.getByTestId('notice').count()).toBe(3);
    await pass(5_500);
    await expect.poll(() => page.locator('[data-testid=notice][data-key=joined]').count()).toBe(0);
    expect(await page.getByRole('alert').getByTestId('notice').getAttribute('data-key')).toBe('split');
    await page.locator('[data-key=split]').getByRole('button').click();
    expect(await calls('dismiss')).toEqual([[1], [3]]);
  });

  test('states are in a tile’s spoken name', async () => {
    await show('live-muted');
    const labels = await page
      .getByTestId('tile')
      .evaluateAll((tiles) => tiles.map((tile) => tile.getAttribute('aria-label')));
    expect(labels).toEqual([
      'Ben Okafor',
      'Cleo Martínez: Microphone off, Hand raised',
      'Dr. Wilhelmina Featherstonehaugh-Abernathy: Microphone off, Camera off',
      'Ada Lovelace (you): Microphone off, Hand raised',
    ]);
  });

  test('an unsafe tile shows no picture at all', async () => {
    await show('live-tile-unsafe');
    const tile = page.locator('[data-testid=tile][data-state=unsafe]');
    expect(await tile.locator('video').count()).toBe(0);
    expect(await tile.textContent()).toContain('not sealed');
  });
});

describe('sheets', () => {
  test('a code that is still being worked out is not to be read aloud', async () => {
    await show('live-computing');
    await page.getByTestId('lock').click();
    await page.getByText('being worked out').waitFor();
    expect(await page.getByText('Read it aloud').count()).toBe(0);
    expect(await page.getByRole('button', { name: 'Copy code' }).isDisabled()).toBe(true);
  });

  test('the check of privacy says which way the host has fixed', async () => {
    await show('live-relay-only');
    await page.getByTestId('lock').click();
    expect(await page.getByTestId('way').textContent()).toContain('shown to the server only');
  });

  test('the lock sign opens the code; Escape closes it and gives the focus back', async () => {
    await show('live-host');
    await page.getByTestId('lock').focus();
    await page.keyboard.press('Enter');
    const code = page.getByTestId('verification-code');
    expect(await code.locator('[aria-hidden]').allTextContents()).toEqual([
      '40817',
      '25563',
      '91420',
      '07738',
      '66152',
      '38094',
    ]);
    expect(await code.locator('.visually-hidden').textContent()).toContain('4 0 8 1 7, 2 5 5 6 3');
    await page.keyboard.press('Escape');
    await page.getByTestId('verify-sheet').waitFor({ state: 'detached' });
    expect(await focused()).toBe('lock');
  });

  test('the build that runs is the one in build.json', async () => {
    await show('live-2');
    await page.getByTestId('lock').click();
    await page.getByText('For experts').click();
    const { hash } = await page.evaluate(async () => (await (await fetch('/build.json')).json()) as { hash: string });
    await expect.poll(() => page.getByTestId('build-hash').textContent()).toBe(hash);
  });

  test('a host removes only after saying so', async () => {
    await show('live-host');
    await page.getByTestId('control-people').click();
    const row = page.locator('[data-testid=people-row][data-name="Ben Okafor"]');
    await row.getByTestId('people-remove').click();
    await page.getByRole('alertdialog', { name: 'Remove Ben Okafor?' }).getByRole('button', { name: 'Cancel' }).click();
    expect(await calls('removePeer')).toEqual([]);
    await row.getByTestId('people-remove').click();
    await page.getByTestId('confirm-action').click();
    expect(await calls('removePeer')).toEqual([[await row.getAttribute('data-peer')]]);
  });

  test('a guest without a name is asked about as one', async () => {
    await show('live-guest');
    await page.getByTestId('control-people').click();
    await page.getByTestId('people-remove').click();
    await page.getByRole('alertdialog', { name: 'Remove Guest?' }).waitFor();
  });

  test('who is not host finds nothing to remove, lock or end', async () => {
    await show('live-4');
    await page.getByTestId('control-people').click();
    expect(await page.getByTestId('people-row').count()).toBe(4);
    for (const id of ['people-remove', 'lock-meeting', 'end-for-all'])
      expect(await page.getByTestId(id).count()).toBe(0);
  });

  test('a host locks, unlocks and ends', async () => {
    await show('live-host');
    await page.getByTestId('control-people').click();
    await page.getByTestId('lock-meeting').click();
    await page.getByTestId('lock-meeting').click();
    expect(await calls('setLocked')).toEqual([[false], [true]]);
    await page.getByTestId('end-for-all').click();
    await page.getByTestId('confirm-action').click();
    expect(await calls('endForAll')).toHaveLength(1);
  });

  test('copies the link, and says so', async () => {
    await show('live-2');
    await page.getByTestId('control-people').click();
    await page.getByTestId('copy-link').click();
    await page.getByRole('status').getByText('Copied').first().waitFor();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toContain('#xxxx');
  });

  test('a link that could not be copied says how, until it is dismissed', async () => {
    await show('live-2');
    await page.evaluate(() => (navigator.clipboard.writeText = () => Promise.reject(new Error('no'))));
    await page.getByTestId('control-more').click();
    await page.getByTestId('more-copy-link').click();
    const toast = page.locator('[data-testid=notice][data-key=copied]');
    await toast.getByText('Could not copy').waitFor();
    await toast.getByRole('button', { name: 'Dismiss' }).click();
    await toast.waitFor({ state: 'detached' });
  });

  test('on a phone a sheet is a dialog over everything, and closes to where one was', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await show('live-4');
    await page.getByTestId('control-people').click();
    const sheet = page.getByRole('dialog', { name: 'People' });
    await sheet.waitFor();
    expect((await sheet.boundingBox())?.width).toBe(390);
    await sheet.getByRole('button', { name: 'Close' }).click();
    await sheet.waitFor({ state: 'detached' });
    await expect.poll(focused).toBe('control-people');
  });

  test('one switch in the menu turns all sounds off, and says what is', async () => {
    await show('live-2');
    await page.getByTestId('control-more').click();
    const item = page.getByRole('menuitemcheckbox', { name: /Sounds/ });
    expect(await item.getAttribute('aria-checked')).toBe('true');
    await item.click();
    expect(await page.evaluate(() => localStorage.getItem('parley.settings'))).toBe('{"sounds":false}');
    await page.getByTestId('control-more').click();
    expect(await item.getAttribute('aria-checked')).toBe('false');
  });

  test('the menu is worked by keys alone', async () => {
    await show('live-2');
    await page.getByTestId('control-more').focus();
    await page.keyboard.press('Enter');
    await page.getByRole('menu').waitFor();
    for (let step = 0; step < 5 && (await focused()) !== 'more-verify'; step++) await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.getByTestId('verify-sheet').waitFor();
  });
});

describe('afterwards', () => {
  test('the reason is read out, and one click leads back in', async () => {
    await show('closed-left');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('You left the meeting');
    expect(await calls('devices.stop')).toHaveLength(1);
    expect(await page.getByTestId('closed-people').textContent()).toContain('Ben Okafor and Cleo Martínez');
    await page.getByRole('button', { name: 'Join again' }).click();
    expect(await calls('rejoin')).toHaveLength(1);
  });

  test('the chat is still to be read, by whoever may come back', async () => {
    await show('closed-left');
    await page.getByRole('button', { name: 'Open chat' }).click();
    expect([await calls('chat'), await calls('rejoin')]).toEqual([[[]], []]);
  });

  test('whoever was removed finds no way back in, and a code to quote', async () => {
    await show('closed-removed');
    expect(await page.getByTestId('closed-chat').count()).toBe(0);
    expect(await page.getByRole('button', { name: /again/ }).count()).toBe(0);
    await page.getByText('E-4410-K7DM').waitFor();
  });
});
