/** What a file may be called, and shown as, whoever named it. */
import { describe, expect, test } from 'vitest';
import { bodyFrom } from '../../../client/chat/bodies.ts';
import { cleanName, cleanType, pictureType } from '../../../client/chat/fileNames.ts';

describe('a name', () => {
  test.each([
    ['report.pdf', 'report.pdf'],
    ['Übersicht – März.odt', 'Übersicht – März.odt'],
    ['صورة.jpg', 'صورة.jpg'],
    ['👩‍👩‍👧.png', '👩‍👩‍👧.png'],
    ['photo\u202egpj.exe', 'photogpj.exe'],
    ['a\u0000b\u200bc\n.txt', 'abc.txt'],
    ['../../etc/passwd', '___.._etc_passwd'],
    ['C:\\Windows\\x.dll', 'C__Windows_x.dll'],
    ['.bashrc', '_bashrc'],
    ['con.txt', '_con.txt'],
    ['LPT1', '_LPT1'],
    ['trailing. . ', 'trailing'],
    ['<img src=x onerror="a">', '_img src=x onerror=_a__'],
    ['', 'file'],
    ['...', 'file'],
    ['\u202e\u200b', 'file'],
  ])('%j is shown and saved as %j', (given, shown) => expect(cleanName(given)).toBe(shown));

  test('that is long keeps its end, which says what it is', () => {
    const cut = cleanName(`${'a'.repeat(500)}.tar.gz`);
    expect([...cut].length).toBe(120);
    expect(cut.endsWith('a.gz')).toBe(true);
    expect([...cleanName('a'.repeat(500))].length).toBe(120);
  });
});

test('only pictures that no browser runs are shown', () => {
  for (const type of ['image/svg+xml', 'text/html', 'application/pdf', 'image/PNG', 'image/x-icon', ''])
    expect(pictureType(type)).toBeNull();
  expect(pictureType('image/png')).toBe('image/png');
  expect(cleanType('Text/Plain; charset=utf-8')).toBe('text/plain');
  for (const none of ['', 'x', 'a/b c', `a/${'b'.repeat(60)}`])
    expect(cleanType(none)).toBe('application/octet-stream');
});

describe('an entry with files', () => {
  const file = {
    blob: 'A'.repeat(22),
    key: 'A'.repeat(43),
    name: 'a.txt',
    type: 'text/plain',
    size: 5,
    picture: { width: 2, height: 2, thumbnail: 'AAAA' },
  };
  const say = (changes: object, text = '') =>
    bodyFrom(JSON.stringify({ is: 'say', text, files: [{ ...file, ...changes }] }));

  test('needs no words, and one with neither is none', () => {
    expect(say({})).not.toBeNull();
    expect(bodyFrom(JSON.stringify({ is: 'say', text: '', files: [] }))).toBeNull();
    expect(bodyFrom(JSON.stringify({ is: 'say', text: '' }))).toBeNull();
    expect(bodyFrom(JSON.stringify({ is: 'say', text: '', files: Array(9).fill(file) }))).toBeNull();
  });

  test.each([
    { blob: '../../../api/meetings' },
    { blob: 'short' },
    { key: 'x' },
    { name: '' },
    { name: 'a'.repeat(256) },
    { type: 'text/html"onload=' },
    { size: -1 },
    { size: 1.5 },
    { size: 101 * 1024 * 1024 },
    { picture: { width: 0, height: 1, thumbnail: 'AAAA' } },
    { picture: { width: 1, height: 1, thumbnail: '"><script>' } },
    { picture: { width: 1, height: 1, thumbnail: 'A'.repeat(10_000) } },
  ])('is none where something does not fit: %j', (changes) => expect(say(changes)).toBeNull());
});
