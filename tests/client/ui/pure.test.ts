/** The screens' own small functions: keys, passwords, times, names, addresses. */
import { describe, expect, test, vi } from 'vitest';
import type { LiveView, TileView } from '../../../client/meeting/view.ts';
import { routeOf } from '../../../client/route.ts';
import { browserFamily } from '../../../client/ui/browserFamily.ts';
import { readBuildInfo } from '../../../client/ui/build.svelte.ts';
import { initials } from '../../../client/ui/initials.ts';
import { shortcutFor } from '../../../client/ui/shortcuts.ts';
import { suggestPassword } from '../../../client/ui/suggestPassword.ts';
import { waitsForRelay } from '../../../client/ui/waitsForRelay.ts';
import { clock, elapsed, listOf, relative } from '../../../client/ui/time.ts';

describe('an address leads', () => {
  const secret = 'A'.repeat(43);

  test('to a meeting with its secret', () => {
    expect(routeOf({ pathname: '/m/k7dm-2xqp-9rta-4w3e', hash: `#${secret}` })).toEqual({
      at: 'meeting',
      meeting: 'k7dm-2xqp-9rta-4w3e',
      secret,
    });
  });

  test('to the same meeting however the id was typed', () => {
    expect(routeOf({ pathname: '/m/K7DM2XQP9RTA4W3E/', hash: '' })).toEqual({
      at: 'meeting',
      meeting: 'k7dm-2xqp-9rta-4w3e',
      secret: null,
    });
  });

  test('to a meeting without a secret where the link was cut off', () => {
    expect(routeOf({ pathname: '/m/k7dm-2xqp-9rta-4w3e', hash: '#AAAA' })).toMatchObject({ secret: null });
  });

  test('home, or nowhere', () => {
    expect(routeOf({ pathname: '/', hash: '' })).toEqual({ at: 'home' });
    for (const pathname of ['/m/', '/m/nonsense', '/other', '/m/k7dm-2xqp-9rta-4w3e/more']) {
      expect(routeOf({ pathname, hash: '' })).toEqual({ at: 'unknown' });
    }
  });
});

describe('a key in the meeting', () => {
  const press = (key: string, changes = {}) => ({
    key,
    repeat: false,
    ctrlKey: false,
    altKey: false,
    metaKey: false,
    ...changes,
  });
  const free = { typing: false, onButton: false, inDialog: false, inSheet: false };

  test.each([
    ['m', 'microphone'],
    ['M', 'microphone'],
    ['v', 'camera'],
    ['s', 'screen'],
    ['h', 'hand'],
    ['?', 'help'],
    ['g', 'view'],
    ['PageUp', 'earlier'],
    ['PageDown', 'later'],
    [' ', 'talk'],
    ['x', null],
    ['Enter', null],
  ])('%j means %s', (key, action) => expect(shortcutFor(press(key), free)).toBe(action));

  test('belongs to the browser with a modifier', () => {
    for (const modifier of ['ctrlKey', 'altKey', 'metaKey']) {
      expect(shortcutFor(press('s', { [modifier]: true }), free)).toBeNull();
    }
  });

  test('belongs to the text that is being typed, and to an open dialog', () => {
    for (const key of ['m', ' ', '?']) {
      expect(shortcutFor(press(key), { ...free, typing: true })).toBeNull();
      expect(shortcutFor(press(key), { ...free, inDialog: true })).toBeNull();
    }
  });

  test('space belongs to a button that was reached by keyboard; letters do not', () => {
    expect(shortcutFor(press(' '), { ...free, onButton: true })).toBeNull();
    expect(shortcutFor(press('m'), { ...free, onButton: true })).toBe('microphone');
  });

  test('pages of people turn unless the focus is in something that scrolls by page', () => {
    expect(shortcutFor(press('PageDown'), { ...free, inSheet: true })).toBeNull();
    expect(shortcutFor(press('m'), { ...free, inSheet: true })).toBe('microphone');
  });

  test('held down toggles once', () => {
    expect(shortcutFor(press('m', { repeat: true }), free)).toBeNull();
  });
});

describe('a suggested password', () => {
  test('is twelve characters in groups of four that nobody mistakes for others', () => {
    const password = suggestPassword((bytes) => crypto.getRandomValues(bytes));
    expect(password).toMatch(/^[0-9a-hjkmnp-tv-z]{4}(-[0-9a-hjkmnp-tv-z]{4}){2}$/);
  });

  test('uses each of the 32 characters equally often for the 256 values of a byte', () => {
    const seen = new Map<string, number>();
    for (let value = 0; value < 256; value += 1) {
      const character = suggestPassword((bytes) => bytes.fill(value)).charAt(0);
      seen.set(character, (seen.get(character) ?? 0) + 1);
    }
    expect(seen.size).toBe(32);
    expect(new Set(seen.values())).toEqual(new Set([8]));
  });

  test('differs each time', () => {
    const many = Array.from({ length: 100 }, () => suggestPassword((bytes) => crypto.getRandomValues(bytes)));
    expect(new Set(many).size).toBe(100);
  });
});

describe('times', () => {
  test('a stopwatch has hours only when there are some', () => {
    expect(clock(7_900, 'en')).toBe('0:07');
    expect(clock(750_000, 'en')).toBe('12:30');
    expect(clock(3_723_000, 'en')).toBe('1:02:03');
    expect(clock(-5, 'en')).toBe('0:00');
  });

  test('a short while is seconds, a longer one a stopwatch', () => {
    expect(elapsed(12_400, 'en')).toBe('12s');
    expect(elapsed(75_000, 'en')).toBe('1:15');
  });

  test('distances take the largest unit that fits, both ways', () => {
    expect(relative(42_000, 0, 'en')).toBe('in 42 seconds');
    expect(relative(0, 3 * 3_600_000, 'en')).toBe('3 hours ago');
    expect(relative(0, 26 * 3_600_000, 'en')).toBe('yesterday');
    expect(relative(0, 300, 'en')).toBe('now');
  });

  test('are written in the language of the words around them, whatever the browser prefers', () => {
    // The only catalogue there is.
    expect(relative(0, 3 * 3_600_000)).toBe('3 hours ago');
    expect(listOf(['Ada', 'Ben'])).toBe('Ada and Ben');
    const asked: unknown[] = [];
    const { NumberFormat } = Intl;
    vi.spyOn(Intl, 'NumberFormat').mockImplementation(function (locale) {
      asked.push(locale);
      return new NumberFormat(locale);
    } as typeof Intl.NumberFormat);
    elapsed(7_900);
    expect(new Set(asked)).toEqual(new Set(['en']));
    vi.restoreAllMocks();
  });

  test('lists read as sentences do', () => {
    expect(listOf(['Ada', 'Ben', 'Cleo'], 'en')).toBe('Ada, Ben, and Cleo');
    expect(listOf(['Ada'], 'en')).toBe('Ada');
  });
});

describe('initials', () => {
  test.each([
    ['Ada Lovelace', 'AL'],
    ['Dr. Wilhelmina Featherstonehaugh-Abernathy', 'DF'],
    ['Ben Okafor · 4fKq', 'BO'],
    ['  esra ', 'E'],
    ['李小龙', '李'],
    ['ßbert', 'SS'],
    ['👩‍🔬 Marie', '👩‍🔬M'],
    ['', ''],
    ['…', ''],
  ])('of %j are %j', (name, letters) => expect(initials(name)).toBe(letters));
});

describe('the browser’s family', () => {
  test.each([
    [
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36',
      0,
      'chrome',
    ],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0', 0, 'firefox'],
    [
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15',
      0,
      'safari',
    ],
    [
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15',
      5,
      'ios',
    ],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/156.0 Mobile Safari/604.1',
      5,
      'ios',
    ],
    [
      'Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Mobile Safari/537.36',
      5,
      'android',
    ],
    ['curl/8', 0, 'other'],
  ])('%s with %i touch points', (agent, touch, family) => expect(browserFamily(agent, touch)).toBe(family));
});

describe('build.json', () => {
  const hash = '0'.repeat(64);

  test('gives hash and commit', () => {
    expect(readBuildInfo({ hash, commit: 'abc', files: {} })).toEqual({ hash, commit: 'abc' });
    expect(readBuildInfo({ hash, commit: null })).toEqual({ hash, commit: null });
  });

  test('is refused when it is anything else', () => {
    for (const value of [null, 'text', [], {}, { hash: 'short' }, { hash: 7 }, { hash: `${hash}0` }]) {
      expect(readBuildInfo(value)).toBeNull();
    }
  });
});

describe('a meeting that goes through the relay alone waits for one', () => {
  const now = 1_000_000;
  const tile = (state: TileView['state'], self = false) => ({ state, self }) as TileView;
  const away = { at: 'reconnecting', since: now - 7000 } as const;
  const waits = (tiles: TileView[], more: Partial<LiveView> = {}): boolean =>
    waitsForRelay({ only: 'relay', connection: 'online', since: now - 60_000, tiles, ...more }, now);

  test('when nobody is reached for some seconds', () => {
    expect(waits([tile(away), tile(away), tile({ at: 'connected' }, true)])).toBe(true);
    expect(waits([tile({ at: 'connecting' })])).toBe(true);
  });

  test('not while somebody is, nor at first, nor alone', () => {
    expect(waits([tile(away), tile({ at: 'poor' })])).toBe(false);
    expect(waits([tile({ at: 'reconnecting', since: now - 1000 })])).toBe(false);
    expect(waits([tile({ at: 'connecting' })], { since: now - 1000 })).toBe(false);
    expect(waits([tile({ at: 'connected' }, true)])).toBe(false);
  });

  test('not where another way may be taken, nor without the server', () => {
    expect(waits([tile(away)], { only: null })).toBe(false);
    expect(waits([tile(away)], { connection: 'reconnecting' })).toBe(false);
  });
});
