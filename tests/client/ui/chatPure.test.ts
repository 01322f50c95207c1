/** What the chat's screens compute: groups and days, mentions, places of what is searched for, and times. */
import { describe, expect, test } from 'vitest';
import type { ChatTerms } from '../../../signal/protocol/documents.ts';
import type { ChatFacade, ChatMessage, ChatPerson } from '../../../client/chat/view.ts';
import { newcomersWords, readersWords } from '../../../client/ui/chat/chatWords.ts';
import { EMOJI, isEmojiOnly } from '../../../client/ui/chat/emoji.ts';
import { foundIn, piecesOf } from '../../../client/ui/chat/finding.ts';
import { mentioningAt, mentionPattern, offersFor, withMention } from '../../../client/ui/chat/mentions.ts';
import { panelOf } from '../../../client/ui/chat/panel.svelte.ts';
import { rowsOf } from '../../../client/ui/chat/rows.ts';
import { dayOf, timeOf } from '../../../client/ui/chat/times.ts';

const person = (name: string, changes: Partial<ChatPerson> = {}): ChatPerson => ({
  id: name,
  name,
  self: false,
  here: true,
  hasCard: true,
  ...changes,
});
const ada = person('Ada Lovelace', { self: true });
const ben = person('Ben');
const people = [ada, ben, person('Ann'), person('Ann Lee'), person('C++ (x)', { here: false })];

const NOON = new Date(2026, 2, 3, 12).getTime();
const MINUTE = 60_000;

const message = (id: string, changes: Partial<ChatMessage> = {}): ChatMessage => ({
  id,
  author: ben,
  at: NOON,
  text: id,
  files: [],
  edited: false,
  deleted: false,
  replyTo: null,
  reactions: [],
  mentionsMe: false,
  to: null,
  delivery: null,
  ...changes,
});

/** "ben a+b | ada c": messages by their groups. */
const shape = (messages: ChatMessage[], unread: string | null = null, hidden = 0): string =>
  rowsOf(messages, unread, hidden)
    .map((row) => (row.kind === 'message' ? `${row.opens ? '(' : ''}${row.key}${row.closes ? ')' : ''}` : row.kind))
    .join(' ');

describe('rows', () => {
  test('group what one person writes in one go, day by day', () => {
    expect(
      shape([
        message('a'),
        message('b', { at: NOON + MINUTE }),
        message('c', { at: NOON + 2 * MINUTE, author: ada }),
        message('d', { at: NOON + 20 * MINUTE, author: ada }),
        message('e', { at: NOON + 1_440 * MINUTE, author: ada }),
      ]),
    ).toBe('day (a b) (c) (d) day (e)');
  });

  test('begin a group where reading goes on, where one answers, and where others read', () => {
    expect(shape([message('a'), message('b')], 'b')).toBe('day (a) unread (b)');
    expect(shape([message('a'), message('b', { replyTo: { id: 'a', name: '', text: '', gone: false } })])).toBe(
      'day (a) (b)',
    );
    expect(shape([message('a'), message('b', { to: ada }), message('c', { to: ada })])).toBe('day (a) (b c)');
  });

  test('say first how many cannot be read, and are none where nothing was written', () => {
    expect(shape([message('a')], null, 12)).toBe('hidden day (a)');
    expect(rowsOf([], null, 0)).toEqual([]);
  });

  test('have keys that differ, also where clocks do', () => {
    const rows = rowsOf([message('a'), message('b', { at: NOON - 2_000 * MINUTE }), message('c')], null, 0);
    expect(new Set(rows.map(({ key }) => key)).size).toBe(rows.length);
  });
});

describe('mentions', () => {
  const found = (text: string): string[] => text.match(mentionPattern(people)) ?? [];

  test('are whole names, the longest that fits, whatever the case', () => {
    expect(found('@Ann Lee and @ann, @everyone')).toEqual(['@Ann Lee', '@ann', '@everyone']);
    expect(found('@Anna me@Ben.org @@Ben x@everyone')).toEqual([]);
  });

  test('take names as they are, not as patterns', () => {
    expect(found('@C++ (x)')).toEqual(['@C++ (x)']);
    expect(() => mentionPattern([person('(('), person('[a-'), person('\\'), person('')])).not.toThrow();
  });

  test('are offered from the @ on, until it cannot be a name any more', () => {
    expect(mentioningAt('hi @Be', 6)).toEqual({ start: 3, query: 'Be' });
    expect(mentioningAt('@', 1)).toEqual({ start: 0, query: '' });
    expect(mentioningAt('@Ann L', 6)).toEqual({ start: 0, query: 'Ann L' });
    expect(mentioningAt('me@Be', 5)).toBeNull();
    expect(mentioningAt('@ Be', 4)).toBeNull();
    expect(mentioningAt('@Be\nx', 5)).toBeNull();
    expect(mentioningAt('@one two three four five', 24)).toBeNull();
  });

  test('offer others who are here first, by any word of their names', () => {
    expect(offersFor('', people)).toEqual(['Ben', 'Ann', 'Ann Lee', 'C++ (x)', 'everyone']);
    expect(offersFor('le', people)).toEqual(['Ann Lee']);
    expect(offersFor('lovelace', people)).toEqual([]);
    expect(offersFor('ben', people)).toEqual([]);
  });

  test('are put in with a blank behind, and the caret after it', () => {
    expect(withMention('hi @Be there', 6, { start: 3, query: 'Be' }, 'Ben')).toEqual({
      text: 'hi @Ben there',
      caret: 8,
    });
  });
});

describe('who can read it', () => {
  const terms = (newcomers: ChatTerms['newcomers']): ChatTerms => ({ newcomers, keepDays: 30 });

  test('is said as it is: with everything shown, whoever has the link, without joining', () => {
    const all = terms({ see: 'all' });
    for (const words of [newcomersWords(all), readersWords(all)]) {
      expect(words).toContain('Whoever has the link, and the password if there is one, can read');
      expect(words).toContain('without joining');
      expect(words).not.toMatch(/only|joins/i);
    }
  });

  test('is whoever joins, where newcomers see nothing of before, or the last hours', () => {
    for (const newcomers of [{ see: 'nothing' }, { see: 'hours', hours: 2 }] as const) {
      expect(readersWords(terms(newcomers))).toContain('Only people who join this meeting can read it.');
      expect(newcomersWords(terms(newcomers))).toContain('Whoever joins later sees');
    }
    expect(newcomersWords(terms({ see: 'nothing' }))).toContain('nothing of what was written before');
    expect(newcomersWords(terms({ see: 'hours', hours: 2 }))).toContain('the last 2 hours');
  });
});

describe('what one is doing', () => {
  test('is the same in each sheet of a chat, and another for each chat', () => {
    const [chat, other] = [{}, {}] as ChatFacade[];
    expect(panelOf(chat!)).toBe(panelOf(chat!));
    expect(panelOf(chat!)).not.toBe(panelOf(other!));
  });
});

describe('searching', () => {
  test('finds words in texts and names, whatever their case', () => {
    const messages = [message('a', { text: 'The Draft' }), message('b', { text: 'x', author: ada }), message('c')];
    expect(foundIn(messages, ' draft ')).toEqual(['a']);
    expect(foundIn(messages, 'love')).toEqual(['b']);
    expect(foundIn(messages, '  ')).toEqual([]);
  });

  test('marks every second piece', () => {
    expect(piecesOf('a Draft of drafts', 'draft')).toEqual(['a ', 'Draft', ' of ', 'draft', 's']);
    expect(piecesOf('nothing', 'x')).toEqual(['nothing']);
    expect(piecesOf('İstanbul', 'stan').join('')).toBe('İstanbul');
    expect(piecesOf('(a)(a)', '(a)').join('|')).toBe('|(a)||(a)|');
  });
});

describe('emoji', () => {
  test('stand alone and are large up to three', () => {
    expect(['👍', '🎉👏', '👩‍👩‍👧', '🇪🇺', '❤️'].map(isEmojiOnly)).toEqual(Array(5).fill(true));
    expect(['', 'a', '1', '#', '👍 ok', '👍👍👍👍', '李'].map(isEmojiOnly)).toEqual(Array(7).fill(false));
  });

  test('that are offered differ from each other', () => {
    expect(new Set(EMOJI).size).toBe(32);
    expect(EMOJI.every(isEmojiOnly)).toBe(true);
  });
});

describe('times', () => {
  test('name days by how far they are', () => {
    expect(dayOf(NOON, NOON, 'en')).toBe('today');
    expect(dayOf(NOON - 1_000 * MINUTE, NOON, 'en')).toBe('yesterday');
    expect(dayOf(NOON - 5 * 1_440 * MINUTE, NOON, 'en')).toBe('Thursday, February 26');
    expect(dayOf(NOON - 400 * 1_440 * MINUTE, NOON, 'en')).toBe('January 27, 2025');
  });

  test('follow the language', () => {
    expect(timeOf(NOON, 'de')).toBe('12:00');
    expect(dayOf(NOON, NOON, 'de')).toBe('heute');
  });
});
