/** Options: what is read from them, and what people are told who got them wrong. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { renderUnicodeCompact } from 'uqr';
import { ConfigError, type Environment, readConfig } from '../../signal/config.ts';
import { greeting } from '../../signal/greeting.ts';
import { helpText, options } from '../../signal/options.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-config-'));
  const make = (name: string) =>
    execFileSync(
      'openssl',
      [
        ...'req -x509 -newkey ed25519 -nodes -days 2 -subj /CN=localhost'.split(' '),
        ...['-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.pem`)],
      ],
      { stdio: 'pipe' },
    );
  make('one');
  make('two');
  writeFileSync(join(folder, 'empty'), '');
});
afterAll(() => rmSync(folder, { recursive: true }));

const read = (env: Environment) => readConfig(env, folder, (path) => readFileSync(path, 'utf8'));
function mistakesOf(env: Environment): readonly string[] {
  try {
    read(env);
    return [];
  } catch (error) {
    return (error as ConfigError).mistakes;
  }
}

describe('without any option', () => {
  test('the server listens on this machine alone, and keeps its data in data/', () => {
    expect(read({})).toMatchObject({
      host: '127.0.0.1',
      port: 3000,
      dataDir: join(folder, 'data'),
      publicUrl: null,
      tls: null,
      ice: { stunUrls: [], turn: null },
      meetingTtlMs: 90 * 86_400_000,
    });
  });

  test('an empty variable counts as unset', () => {
    expect(read({ PARLEY_PORT: '', PARLEY_PUBLIC_URL: ' ' })).toEqual(read({}));
  });
});

describe('options', () => {
  test('are read', () => {
    const config = read({
      PARLEY_PORT: '0',
      PARLEY_PUBLIC_URL: 'https://Meet.Example.org/',
      PARLEY_TLS_CERT: 'one.pem',
      PARLEY_TLS_KEY: join(folder, 'one.key'),
      PARLEY_TURN_URLS: 'turn:a.example:3478?transport=udp, turns:a.example:5349',
      PARLEY_TURN_SECRET: 'hush',
      PARLEY_STUN_URLS: 'stun:[2001:db8::1]:3478',
    });
    expect(config).toMatchObject({ port: 0, publicUrl: 'https://meet.example.org' });
    expect(config.tls!.cert).toContain('BEGIN CERTIFICATE');
    expect(config.ice).toEqual({
      stunUrls: ['stun:[2001:db8::1]:3478'],
      turn: {
        urls: ['turn:a.example:3478?transport=udp', 'turns:a.example:5349'],
        access: { by: 'secret', secret: 'hush', ttlSeconds: 43_200 },
      },
    });
  });

  test('of other programs are left alone', () => {
    expect(
      mistakesOf({ PARLEY_CHROMIUM: '/usr/bin/chromium', PARLEY_SOAK: '1', PARLEY_CACHE: 'x', PARLEY_TURNSERVER: 'x' }),
    ).toEqual([]);
  });

  test.each(['localhost', '::1', '0.0.0.0', 'meet-1.example.org', 'fe80::1%eth0'])('PARLEY_HOST may be %s', (host) =>
    expect(read({ PARLEY_HOST: host }).host).toBe(host),
  );

  test('are all listed by --help', () => {
    const help = helpText();
    for (const name of Object.keys(options)) expect(help).toContain(name);
    expect(help).toContain('[127.0.0.1]');
  });
});

describe('a warning', () => {
  const warningsOf = (env: Environment) => read(env).warnings;
  const proxied = { PARLEY_PUBLIC_URL: 'https://meet.example.org' };

  test('says that behind a proxy everybody has one address, unless the proxy is counted or we have the certificate', () => {
    expect(warningsOf(proxied)).toEqual([expect.stringMatching(/PARLEY_PROXIES is 0.*Set PARLEY_PROXIES=1/)]);
    expect(warningsOf({ ...proxied, PARLEY_PROXIES: '1' })).toEqual([]);
    expect(warningsOf({ ...proxied, PARLEY_TLS_CERT: 'one.pem', PARLEY_TLS_KEY: 'one.key' })).toEqual([]);
    expect(warningsOf({ PARLEY_PUBLIC_URL: 'http://meet.example.org' })).toEqual([]);
    expect(warningsOf({})).toEqual([]);
  });
});

describe('mistakes', () => {
  test('are told all at once, each with what would be right', () => {
    expect(
      mistakesOf({
        PARLEY_PROT: '80',
        PARLEY_PORT: '70000',
        PARLEY_PUBLIC_URL: 'meet.example.org',
        PARLEY_LOG_LEVEL: 'loud',
        PARLEY_TURN_URLS: 'turn.example.org',
        PARLEY_TLS_CERT: 'one.pem',
        PARLEY_MEETING_TTL: '1.5',
      }),
    ).toEqual([
      'PARLEY_PROT is no option. Is PARLEY_PORT meant?',
      'PARLEY_PORT is "70000", but must be a whole number from 0 to 65535.',
      'PARLEY_PUBLIC_URL is "meet.example.org", but must be an http or https address without a path, such as https://meet.example.org.',
      expect.stringMatching(/^PARLEY_TURN_URLS is "turn.example.org", but must be up to eight addresses such as turn:/),
      'PARLEY_MEETING_TTL is "1.5", but must be a whole number from 1 to 3650.',
      'PARLEY_LOG_LEVEL is "loud", but must be one of error, warn, info, debug, silent.',
      'PARLEY_TLS_CERT and PARLEY_TLS_KEY go together: set both, or neither.',
    ]);
  });

  test.each([
    [
      { PARLEY_TLS_CERT: 'missing.pem', PARLEY_TLS_KEY: 'one.key' },
      /PARLEY_TLS_CERT is "missing.pem", which cannot be read/,
    ],
    [{ PARLEY_TLS_CERT: 'empty', PARLEY_TLS_KEY: 'one.key' }, /PARLEY_TLS_CERT is "empty", which holds no certificate/],
    [
      { PARLEY_TLS_CERT: 'one.pem', PARLEY_TLS_KEY: 'one.pem' },
      /PARLEY_TLS_KEY is "one.pem", which holds no private key/,
    ],
    [{ PARLEY_TLS_CERT: 'one.pem', PARLEY_TLS_KEY: 'two.key' }, /PARLEY_TLS_KEY is not the key of the certificate/],
    [{ PARLEY_TURN_SECRET: 'hush' }, /PARLEY_TURN_URLS is missing/],
    [{ PARLEY_TURN_URLS: 'turn:a.example' }, /needs PARLEY_TURN_SECRET, or/],
    [{ PARLEY_TURN_URLS: 'turn:a.example', PARLEY_TURN_USER: 'u' }, /needs PARLEY_TURN_SECRET, or/],
    [{ PARLEY_TURN_URLS: 'turn:a.example', PARLEY_TURN_SECRET: 'hush', PARLEY_TURN_USER: 'u' }, /not both/],
    [{ PARLEY_HOST: 'http://0.0.0.0' }, /PARLEY_HOST is .*must be an address or a host name/],
    [{ PARLEY_HOST: '0.0.0.0:3000' }, /PARLEY_HOST/],
    [{ PARLEY_HOST: '1.2.3.999' }, /PARLEY_HOST/],
    [{ PARLEY_HOST: 'not a host' }, /PARLEY_HOST/],
    [{ PARLEY_RELAY_ADDRESS: 'http://a.example' }, /PARLEY_RELAY_ADDRESS/],
    [{ PARLEY_PUBLIC_URL: 'https://a.example/path' }, /without a path/],
    [{ PARLEY_PUBLIC_URL: 'https://u:p@a.example' }, /without a path/],
  ] satisfies [Environment, RegExp][])('%o', (env, words) => {
    const mistakes = mistakesOf(env);
    expect(mistakes).toHaveLength(1);
    expect(mistakes[0]).toMatch(words);
    expect(mistakes[0]).not.toContain('hush');
  });
});

describe('the greeting', () => {
  const at = { host: '127.0.0.1', port: 3000, tls: null, publicUrl: null };
  const tls = { cert: '', key: '' };

  test('names the address, and says over plain HTTP why others get no camera', () => {
    const text = greeting(at, '192.168.1.5');
    expect(text).toMatch(/^Parley is ready: http:\/\/localhost:3000\n/);
    expect(text).toMatch(/HTTPS and on localhost only/);
    expect(text).not.toContain('192.168.1.5');
    expect(greeting({ ...at, host: '0.0.0.0' }, '192.168.1.5')).toMatch(/HTTPS and on localhost only/);
  });

  test('shows the address in the local network and a code to scan where HTTPS is configured', () => {
    const text = greeting({ ...at, host: '0.0.0.0', tls }, '192.168.1.5');
    expect(text).toMatch(/^Parley is ready: https:\/\/localhost:3000\n/);
    expect(text).toContain('For others: https://192.168.1.5:3000');
    expect(text).toContain(renderUnicodeCompact('https://192.168.1.5:3000', { border: 2 }));
    expect(greeting({ ...at, tls }, '192.168.1.5')).toMatch(/this machine alone/);
  });

  test('gives no advice that was followed already: with HTTPS on all addresses it is not this machine alone', () => {
    const text = greeting({ ...at, host: '0.0.0.0', tls }, null);
    expect(text).not.toMatch(/alone|PARLEY_HOST/);
    expect(text).toMatch(/on port 3000\. PARLEY_PUBLIC_URL/);
  });

  test('shows the public address where a proxy gives HTTPS', () => {
    const text = greeting({ ...at, publicUrl: 'https://meet.example.org' }, null);
    expect(text).toContain('For others: https://meet.example.org');
    expect(text).toContain(renderUnicodeCompact('https://meet.example.org', { border: 2 }));
  });
});
