/**
 * People who use Parley: each with a browser, a face that carries numbers and a voice of one tone.
 *
 * They do what a person does, by the elements of the page, and perceive what a person perceives: pictures that are shown,
 * sound that is played. Waiting is done by looking, never by sleeping.
 */
import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page } from 'playwright-core';
import type { LaunchOptions, Watched } from './browser.ts';
import { launchBrowser, openContext } from './browser.ts';
import type { Film, FilmOptions } from './media/films.ts';
import { makeFilm } from './media/films.ts';
import type { TimedReading, Tone, Watch } from './media/readers.ts';
import type { ProbeOptions, Totals } from './probe.ts';
import { probeScript, totalsOf } from './probe.ts';
import { tapPage } from './wiretap.ts';

/** Faces and voices, told apart by number and tone. */
export const CAST = {
  Anna: { number: 11, tone: 500 },
  Ben: { number: 22, tone: 700 },
  Carla: { number: 33, tone: 900 },
  Dan: { number: 44, tone: 1150 },
  Eve: { number: 55, tone: 1400 },
} as const;
export type Name = keyof typeof CAST;
const TONES = Object.values(CAST).map(({ tone }) => tone);

/** How long people wait for something to happen: the target is a second, the machine may be busy. */
export const PATIENCE_MS = 30_000;

/** The script of the product's own worker. */
export const WORKER = /\/assets\/worker[^/]*\.js/;

export interface PersonOptions extends LaunchOptions {
  probe?: ProbeOptions;
  /** Frames that arrive are read off the wire (wiretap.ts). */
  tapped?: boolean;
  /** No camera and no microphone at all. */
  noDevices?: boolean;
  /** Comes in with the camera off. */
  voiceOnly?: boolean;
  /** Of the camera, where another picture is needed than most tests take. */
  picture?: Pick<FilmOptions, 'width' | 'height' | 'fps' | 'frames' | 'pause'>;
  context?: BrowserContextOptions;
}

export class Person {
  readonly name: Name;
  readonly number: number;
  readonly tone: number;
  readonly film: Film | null;
  readonly voiceOnly: boolean;
  readonly browser: Browser;
  readonly context: BrowserContext;
  readonly watched: Watched;
  page: Page;

  private constructor(
    name: Name,
    parts: Pick<Person, 'film' | 'voiceOnly' | 'browser' | 'context' | 'watched' | 'page'>,
  ) {
    this.name = name;
    this.number = CAST[name].number;
    this.tone = CAST[name].tone;
    this.film = parts.film;
    this.voiceOnly = parts.voiceOnly;
    this.browser = parts.browser;
    this.context = parts.context;
    this.watched = parts.watched;
    this.page = parts.page;
  }

  /** @param origin where Parley is served; requests to anywhere else are written down */
  static async create(name: Name, origin: string, options: PersonOptions = {}): Promise<Person> {
    const { number, tone } = CAST[name];
    const film = options.noDevices === true ? null : makeFilm({ ...options.picture, person: number, tone });
    const browser = await launchBrowser({ ...options, ...(film === null ? {} : { film }) });
    const { context, watched } = await openContext(browser, { origin, ...options.context });
    await context.addInitScript({ content: probeScript(options.probe) });
    const page = await context.newPage();
    if (options.tapped === true) await tapPage(page, WORKER, TONES);
    return new Person(name, { film, voiceOnly: options.voiceOnly ?? false, browser, context, watched, page });
  }

  async close(): Promise<void> {
    await this.browser.close();
    this.film?.close();
  }

  by(testId: string): Locator {
    return this.page.getByTestId(testId);
  }

  /** Waits until it is there to be seen. @throws with all that the page says instead */
  async shows(testId: string): Promise<void> {
    await until(
      () => this.by(testId).first().isVisible(),
      async () => `${this.name} sees ${testId}; instead: ${await this.situation()}`,
    );
  }

  // — Before the meeting —

  /** Makes a meeting and stands in its lobby. @param options  test ids of what is chosen among its options @returns the link, with its fragment */
  async createMeeting(
    origin: string,
    { title = 'Tuesday', password = null as string | null, options = [] as string[] } = {},
  ): Promise<string> {
    await this.page.goto(origin);
    await this.shows('home-title');
    await this.by('home-title').fill(title);
    if (password !== null) await this.by('home-password').fill(password);
    if (options.length > 0) await this.by('home-options').click();
    for (const option of options) await this.by(option).check();
    await this.by('home-create').click();
    await this.shows('lobby-join');
    return this.page.url();
  }

  async open(link: string): Promise<void> {
    await this.page.goto(link);
  }

  async enterPassword(password: string): Promise<void> {
    await this.by('lobby-password').fill(password, { timeout: PATIENCE_MS });
    // After a wrong one there is a pause before the next try counts.
    const ready = '[data-testid=lobby-password-submit]:not([aria-disabled=true])';
    await this.page.locator(ready).waitFor({ timeout: PATIENCE_MS });
    await this.by('lobby-password').press('Enter');
  }

  /** From the open lobby into the meeting. */
  async join(): Promise<void> {
    await this.shows('lobby-join');
    await this.by('lobby-name').fill(this.name);
    if (this.voiceOnly) await this.by('lobby-camera').click();
    await this.by('lobby-join').click();
    const self = this.page.locator('[data-testid=tile][data-self=true]');
    await until(
      async () => (await self.count()) > 0,
      async () => `${this.name} is in the meeting; instead: ${await this.situation()}`,
    );
  }

  /** Opens the link and goes in. */
  async come(link: string, password: string | null = null): Promise<void> {
    await this.open(link);
    if (password !== null) await this.enterPassword(password);
    await this.join();
  }

  /** What the page shows and what it has complained about, for messages of failed tests. */
  async situation(): Promise<string> {
    const shown = await this.page.evaluate(() => ({
      address: location.pathname,
      tiles: [...document.querySelectorAll('[data-testid=tile]')].map(({ attributes }) =>
        ['data-name', 'data-state'].map((name) => attributes.getNamedItem(name)?.value).join(' '),
      ),
      connections: parleyProbe.connections
        .slice(-8)
        .map(({ connectionState: a, iceConnectionState: b }) => `${a} ${b}`),
      connectionsMade: parleyProbe.connections.length,
      refusals: parleyProbe.refusals.slice(0, 5),
      counts: Object.values(parleyProbe.counts).map(({ id, passed, dropped }) =>
        [id, passed, ...Object.values(dropped)].join(' '),
      ),
      text: document.body.innerText.replaceAll(/\s+/g, ' ').slice(0, 400),
      alarms: parleyProbe.notices.filter(({ type }) => ['alarm', 'out', 'paused'].includes(type)),
      epochs: parleyProbe.notices.flatMap((notice) =>
        notice.type === 'members' ? [[notice.epoch, notice.members.length]] : [],
      ),
      asked: parleyProbe.notices.flatMap((notice) =>
        notice.type === 'request' && notice.name !== 'message.send' ? [notice.name] : [],
      ),
    }));
    return JSON.stringify({ ...shown, errors: this.watched.consoleErrors });
  }

  // — In the meeting —

  tile(who: Name): Locator {
    return this.page.locator(`[data-testid=tile][data-name="${who}"]`);
  }

  /** Names on the tiles, sorted, without one's own. */
  async others(): Promise<string[]> {
    const names = await this.page
      .locator('[data-testid=tile][data-self=false]')
      .evaluateAll((tiles) => tiles.map((tile) => tile.getAttribute('data-name') ?? ''));
    return names.sort();
  }

  async waitForOthers(...names: Name[]): Promise<void> {
    const wanted = [...names].sort().join();
    await until(
      async () => (await this.others()).join() === wanted,
      () => `${this.name} sees ${names.join(', ') || 'nobody'} and nobody else`,
    );
  }

  /** State on the tile, as the page says it: 'connected', 'securing' … ; null without a tile. */
  async stateOf(who: Name): Promise<string | null> {
    const tile = this.tile(who);
    return (await tile.count()) === 0 ? null : tile.first().getAttribute('data-state');
  }

  async waitForState(who: Name, ...states: string[]): Promise<string> {
    let state: string | null = null;
    await until(
      async () => states.includes((state = await this.stateOf(who)) ?? ''),
      async () => `${this.name} sees ${who} as ${states.join(' or ')}, not ${state}; ${await this.situation()}`,
    );
    return state!;
  }

  /** Begins to write down what is shown on somebody's tile. */
  async watch(who: Name): Promise<void> {
    await until(
      async () => (await this.tile(who).locator('video').count()) > 0,
      async () => `${this.name} has a picture of ${who}; instead: ${await this.situation()}`,
    );
    await this.tile(who)
      .locator('video')
      .first()
      .evaluate((video, name) => parleyReaders.watch(name, video as HTMLVideoElement), who);
  }

  async watchedOf(who: Name): Promise<Watch> {
    return this.page.evaluate((name) => parleyReaders.watched(name), who);
  }

  /** Sees somebody: at least `count` pictures with that person's number, from now on. */
  async see(who: Name, count = 20): Promise<TimedReading[]> {
    await this.watch(who);
    let readings: TimedReading[] = [];
    await until(
      async () => {
        ({ readings } = await this.watchedOf(who));
        return readings.filter(({ person }) => person === CAST[who].number).length >= count;
      },
      async () => `${this.name} sees ${who}: ${readings.length} of ${count} pictures; ${await this.situation()}`,
    );
    return readings;
  }

  /** What is heard of somebody: the sound that the page plays for that tile. */
  async hear(who: Name, ms = 1000): Promise<Tone> {
    return this.page.evaluate(
      async ({ who, ms }) => {
        const peer = document.querySelector(`[data-testid=tile][data-name="${who}"]`)?.getAttribute('data-peer');
        const players = [...document.querySelectorAll<HTMLMediaElement>('audio, video')].filter(
          ({ muted, paused }) => !muted && !paused,
        );
        const tracks = players
          .flatMap(({ srcObject }) => (srcObject instanceof MediaStream ? srcObject.getAudioTracks() : []))
          .filter(
            (track) => parleyProbe.sourceOf(track)?.peer === peer && parleyProbe.sourceOf(track)?.kind === 'microphone',
          );
        if (tracks.length === 0) return { frequency: 0, level: -Infinity, floor: -Infinity };
        return parleyReaders.tone(tracks, ms);
      },
      { who, ms },
    );
  }

  async leave(): Promise<void> {
    await this.by('control-leave').click();
    await this.shows('closed');
  }

  /** As a host: by the sheet of people, and the question that follows. */
  async endForAll(): Promise<void> {
    await this.openPeople();
    await this.by('end-for-all').click();
    await this.by('confirm-action').click();
  }

  /** As a host: likewise. */
  async remove(who: Name): Promise<void> {
    await this.openPeople();
    await this.page.locator(`[data-testid=people-row][data-name="${who}"]`).getByTestId('people-remove').click();
    await this.by('confirm-action').click();
  }

  /** The 30 digits that people compare. */
  async verificationCode(): Promise<string> {
    await this.by('control-more').click();
    await this.by('more-verify').click();
    await this.page.locator('[data-testid=verification-code][aria-busy=false]').waitFor();
    const text = await this.by('verification-code').innerText();
    // Once to look at, once to be read out.
    const digits = /^(\d{30})\1?$/.exec(text.replace(/\D/g, ''))?.[1] ?? text;
    await this.page.keyboard.press('Escape');
    return digits;
  }

  async openPeople(): Promise<void> {
    if (await this.by('people-sheet').isVisible()) return;
    await this.by('control-people').click();
    await this.shows('people-sheet');
  }

  async closedReason(): Promise<string | null> {
    await this.shows('closed');
    return this.by('closed').getAttribute('data-reason');
  }

  /** The product's own counts, over all transforms since the page was loaded. */
  async totals(): Promise<Totals> {
    return totalsOf(
      await this.page.evaluate(() => ({ transforms: parleyProbe.transforms, counts: parleyProbe.counts })),
    );
  }

  /** Newest invite secret that the page was told, by the worker's notices; null if it never changed. */
  async newSecret(): Promise<string | null> {
    return this.page.evaluate(() => {
      for (const notice of parleyProbe.notices.toReversed()) if (notice.type === 'invite') return notice.secret;
      return null;
    });
  }
}

/** Looks again and again until it is so. @param what says what was waited for, when it never came */
export async function until(
  isSo: () => Promise<boolean>,
  what: () => string | Promise<string>,
  ms = PATIENCE_MS,
): Promise<void> {
  const end = performance.now() + ms;
  for (;;) {
    if (await isSo()) return;
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${await what()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Several people, closed together. */
export class People {
  readonly #all: Person[] = [];
  readonly #origin: string;

  constructor(origin: string) {
    this.#origin = origin;
  }

  async invite(name: Name, options: PersonOptions = {}): Promise<Person> {
    const person = await Person.create(name, this.#origin, options);
    this.#all.push(person);
    return person;
  }

  /** The first makes the meeting, then all come in, one after the other. */
  async meet(
    names: readonly Name[],
    { password = null as string | null, options = {} as PersonOptions } = {},
  ): Promise<{ people: Person[]; link: string }> {
    const people = await Promise.all(names.map((name) => this.invite(name, options)));
    const link = await people[0]!.createMeeting(this.#origin, { password });
    await people[0]!.join();
    for (const person of people.slice(1)) {
      await person.come(link, password).catch(async (error: unknown) => {
        const others = people
          .filter((other) => other !== person)
          .map(async (other) => `${other.name}: ${await other.situation()}`);
        throw new Error([String(error), ...(await Promise.all(others))].join('\n'), { cause: error });
      });
    }
    return { people, link };
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.splice(0).map((person) => person.close()));
  }
}
