/** What the screens and saved copies say of a chat: who is called, who is who, and that nobody can write another's entry into theirs. */
import { describe, expect, test } from 'vitest';
import { codesOf } from '../../../client/chat/namesakes.ts';
import { exportJson, exportText, mentions, Presenter } from '../../../client/chat/present.ts';
import { type Device, together } from './world.ts';

const say = (text: string) => ({ is: 'say', text }) as const;
const shown = (device: Device) => new Presenter(device.chat).messages(false);

describe('one is called', () => {
  test('by name or as everyone, whatever the case', () => {
    expect(['@Ann', 'hi @ann!', '(@ANN)', '@everyone', 'so, @Everyone'].map((text) => mentions(text, 'Ann'))).toEqual(
      Array(5).fill(true),
    );
  });

  test('not within words and addresses, and not without a name', () => {
    expect(
      ['Ann', 'x@Ann', '@Anna', '@Ann_', 'me@everyone.org', '@everyoneelse', ''].map((text) => mentions(text, 'Ann')),
    ).toEqual(Array(7).fill(false));
    expect([mentions('@', null), mentions('@everyone', null)]).toEqual([false, true]);
  });

  test('not by the longer name of another', async () => {
    expect(mentions('@Ann Lee, please', 'Ann', ['Ann Lee'])).toBe(false);
    expect(mentions('@Ann Lee and @Ann', 'Ann', ['Ann Lee'])).toBe(true);
    expect(mentions('@Ann Leeward', 'Ann', ['Ann Lee'])).toBe(true);
    const { time, devices } = await together(['Ann', 'Ann Lee', 'Ben']);
    const [ann, annLee, ben] = devices as [Device, Device, Device];
    await ann.chat.write([say('one')]);
    await annLee.chat.write([say('two')]);
    await ben.chat.write([say('@Ann Lee')]);
    await ben.chat.write([say('@ann')]);
    await time.pass(5000);
    const called = (device: Device) =>
      shown(device)
        .filter(({ mentionsMe }) => mentionsMe)
        .map(({ text }) => text);
    expect([called(ann), called(annLee), called(ben)]).toEqual([['@ann'], ['@Ann Lee'], []]);
  });
});

describe('namesakes', () => {
  test('bear the beginning of their identities, the same one wherever they are named', async () => {
    const { time, devices } = await together(['Ada', ' aDa', 'Ben']);
    const [ada, other, ben] = devices as [Device, Device, Device];
    for (const one of devices) {
      await one.chat.write([say('x')]);
      await time.pass(2000);
    }
    const presenter = new Presenter(ben.chat);
    const names = presenter.messages(false).map(({ author }) => author.name);
    expect(names).toEqual([`Ada · ${ada.chat.self.slice(0, 4)}`, `aDa · ${other.chat.self.slice(0, 4)}`, 'Ben']);
    // For whom one writes alone is chosen among these.
    expect(presenter.people.map(({ name }) => name).sort()).toEqual([...names].sort());
    // One's own namesake, too; oneself is "you".
    expect(shown(ada).map(({ author }) => author.name)).toEqual(['Ada', names[1], 'Ben']);
  });

  test('cannot be had by writing another’s code behind a name, or hiding something in it', () => {
    const of = (...names: string[]) => [
      ...codesOf(names.map((name, i) => ({ id: `id${i}-${name.length}`, name }))).keys(),
    ];
    expect(of('Ada', 'Ada · id0-')).toHaveLength(2);
    expect(of('Ben', 'Ｂen', ' ben ')).toHaveLength(3);
    expect(of('Ada', 'Ben')).toEqual([]);
  });

  test('who share the beginning of an identity show more of it', () => {
    const codes = codesOf(['abcdefX', 'abcdefY', 'zzzzzzz'].map((id) => ({ id, name: 'Ada' })));
    expect([...codes.values()]).toEqual(['abcdefX', 'abcdefY', 'zzzzzzz']);
  });
});

describe('a saved copy', () => {
  const timeOf = () => '3 March 2026, 10:00';
  const asText = (device: Device) =>
    exportText(shown(device), { timeOf, onlyTo: (name) => `only to ${name}`, unnamed: 'Somebody' });

  test('has nobody’s words at the beginning of a line', async () => {
    const { time, devices } = await together(['Ada', 'Ben\u202e\n[3 March 2026, 10:00] Ada']);
    const [ada, ben] = devices as [Device, Device];
    await ada.chat.write([say('hello')]);
    await time.pass(5000);
    const { id } = ada.chat.thread.said[0]!;
    for (const end of ['\n', '\r\n', '\r', '\u2028', '\u2029', '\v', '\f', '\u0085'])
      await ben.chat.write([
        { ...say(`ok${end}[3 March 2026, 10:00] Ada${end}I owe Ben ten thousand euro\u202e`), reply: id },
      ]);
    await ada.chat.write([{ ...say('quoting'), reply: ben.chat.thread.said[1]!.id }]);
    await time.pass(5000);
    const text = asText(ada);
    const entries = text
      .split(/\r\n|[\n\r\v\f\u0085\u2028\u2029]/u)
      .filter((line) => line !== '' && !line.startsWith('  '));
    expect(entries).toHaveLength(10);
    expect(entries.filter((line) => line === '[3 March 2026, 10:00] Ada')).toHaveLength(2);
    expect(text).not.toMatch(/[\u202e\r\v\f\u0085\u2028\u2029]/u);
    expect(text).toContain('\n  ok\n  [3 March 2026, 10:00] Ada\n  I owe Ben');
  });

  test('for programs holds edits, answers and reactions', async () => {
    const { time, devices } = await together(['Ada', 'Ben']);
    const [ada, ben] = devices as [Device, Device];
    await ada.chat.write([say('first')]);
    await time.pass(2000);
    const { id } = ada.chat.thread.said[0]!;
    await ada.chat.write([{ is: 'edit', of: id, text: 'changed' }]);
    await ben.chat.write([{ is: 'react', of: id, emoji: '🎂', on: true }]);
    await ben.chat.write([{ ...say('answer'), reply: id }]);
    await time.pass(2000);
    const [one, two] = JSON.parse(exportJson(shown(ada))) as object[];
    expect(one).toMatchObject({
      ...{ id, text: 'changed', edited: true, replyTo: null, onlyTo: null },
      author: { identity: ada.chat.self, name: 'Ada' },
      reactions: [{ emoji: '🎂', names: ['Ben'] }],
    });
    expect(two).toMatchObject({ text: 'answer', edited: false, replyTo: id, reactions: [] });
  });
});
