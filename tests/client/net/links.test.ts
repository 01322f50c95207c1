import { describe, expect, test } from 'vitest';
import { inviteUrl, readInvite, readMeetingId, readSecret } from '../../../client/net/links.ts';

const id = '0abc-def1-ghjk-mnpq';
const secret = 'AbCdEfGhIjKlMnOpQrStUvWxYz0123456789_-abcde';

describe('where a pasted text leads', () => {
  for (const [form, text] of [
    ['a whole link', `https://meet.example/m/${id}#${secret}`],
    ['a link without scheme', `meet.example/m/${id}#${secret}`],
    ['a path', `/m/${id}#${secret}`],
    ['a link with a slash and a query', `http://localhost:3000/m/${id}/?from=mail#${secret}`],
    ['id and secret', `${id}#${secret}`],
    ['a link in angle brackets', `<https://meet.example/m/${id}#${secret}>`],
    ['a link amid words', `Join us:  https://meet.example/m/${id}#${secret} at ten.`],
    ['a link before a full stop', `See https://meet.example/m/${id}#${secret}.`],
    ['a link with a shouting id', `https://meet.example/m/${id.toUpperCase()}#${secret}`],
  ] as const) {
    test(form, () => expect(readInvite(text)).toEqual({ meeting: id, secret }));
  }

  test('a bare id, as it is read aloud', () => {
    expect(readInvite(' 0ABC DEF1 GHJK MNPQ ')).toEqual({ meeting: id, secret: null });
    expect(readMeetingId('oabcdeflghjkmnpq')).toBe(id);
  });

  test('a link whose secret was cut off is no invite', () => {
    expect(readInvite(`https://meet.example/m/${id}#${secret.slice(0, 20)}`)).toBeNull();
    expect(readSecret(`#${secret}x`)).toBeNull();
  });

  for (const text of [
    '',
    'hello',
    'https://meet.example/',
    '0abc-def1-ghjk',
    `${id}u`,
    `${secret}`,
    '#',
    '/m/%E0%A4%A',
  ])
    test(`${JSON.stringify(text)} leads nowhere`, () => expect(readInvite(text)).toBeNull());

  test('a link that was made is read back', () => {
    const meeting = readMeetingId(id)!;
    expect(readInvite(inviteUrl('https://meet.example', meeting, secret))).toEqual({ meeting, secret });
    expect(inviteUrl('https://meet.example', meeting, null)).toBe(`https://meet.example/m/${id}`);
  });
});
