/**
 * Environment → Config. Reports every mistake at once, so that nobody has to start five times to find five of them.
 *
 * Names that begin with PARLEY_ but are none of ours belong to scripts and tests, unless they look like a slip of the pen.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { isIPv6 } from 'node:net';
import { resolve } from 'node:path';
import { findLanAddress, isLoopback } from './address.ts';
import type { OptionName } from './options.ts';
import { Mistake, options } from './options.ts';

/** How clients get at TURN servers. */
export type TurnAccess =
  { by: 'secret'; secret: string; ttlSeconds: number } | { by: 'password'; user: string; password: string };

export interface IceConfig {
  readonly stunUrls: readonly string[];
  readonly turn: { urls: readonly string[]; access: TurnAccess } | null;
}

export interface RelayConfig {
  readonly workers: number;
  readonly port: number;
  readonly addresses: readonly { ip: string; announced: string | null }[];
}

/** Certificate with its chain, and private key, PEM. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

export interface Config {
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  /** Folder of the built client. */
  readonly clientDir: string;
  /** Origin that people use, where a proxy stands in front. */
  readonly publicUrl: string | null;
  readonly tls: TlsFiles | null;
  /** Reads the files again: certificates are renewed. @throws ConfigError */
  readonly readTlsAgain: (() => TlsFiles | null) | null;
  readonly proxies: number;
  readonly ice: IceConfig;
  /** Null: none in this process. */
  readonly relay: RelayConfig | null;
  /** Of relays on other hosts; null: none is let in. */
  readonly relaySecret: string | null;
  /** Where this server stands. */
  readonly region: string;
  readonly meetingTtlMs: number;
  readonly maxCapacity: number;
  /** Most bytes of a meeting's chat. */
  readonly chatQuota: number;
  /** Most bytes of a meeting's files. */
  readonly filesQuota: number;
  readonly meetingsPerHour: number;
  readonly connectionsPerAddress: number;
  readonly connections: number;
  readonly logLevel: 'error' | 'warn' | 'info' | 'debug' | 'silent';
  readonly devOrigin: string | null;
  readonly relayStatusFile: string | null;
  /** What works, and is hardly meant: one sentence each. */
  readonly warnings: readonly string[];
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** One sentence per mistake. */
export class ConfigError extends Error {
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    super(mistakes.join('\n'));
    this.name = 'ConfigError';
    this.mistakes = mistakes;
  }
}

type Values = { [N in OptionName]: ReturnType<(typeof options)[N]['read']> | undefined };

const DAY_MS = 86_400_000;

/**
 * @param root      folder that relative paths start from
 * @param readText  reads a file whole; throws where it cannot
 * @throws ConfigError with all mistakes
 */
export function readConfig(env: Environment, root: string, readText: (path: string) => string): Config {
  const mistakes = slipsIn(env);
  const values = readValues(env, mistakes);
  const tls = readTls(values, root, readText, mistakes);
  const ice = readIce(values, mistakes);
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  return {
    host: values.PARLEY_HOST!,
    port: values.PARLEY_PORT!,
    dataDir: resolve(root, values.PARLEY_DATA!),
    clientDir: resolve(root, values.PARLEY_CLIENT!),
    publicUrl: values.PARLEY_PUBLIC_URL ?? null,
    tls,
    readTlsAgain: tls && (() => allRight((now) => readTls(values, root, readText, now))),
    proxies: values.PARLEY_PROXIES!,
    ice,
    relay: relayOf(values),
    relaySecret: values.PARLEY_RELAY_SECRET ?? null,
    region: values.PARLEY_REGION ?? '',
    meetingTtlMs: values.PARLEY_MEETING_TTL! * DAY_MS,
    maxCapacity: values.PARLEY_MAX_CAPACITY!,
    chatQuota: values.PARLEY_CHAT_MB! * 1024 * 1024,
    filesQuota: values.PARLEY_FILES_MB! * 1024 * 1024,
    meetingsPerHour: values.PARLEY_MEETINGS_PER_HOUR!,
    connectionsPerAddress: values.PARLEY_CONNECTIONS_PER_ADDRESS!,
    connections: values.PARLEY_CONNECTIONS!,
    logLevel: values.PARLEY_LOG_LEVEL!,
    devOrigin: values.PARLEY_DEV_ORIGIN ?? null,
    relayStatusFile: values.PARLEY_RELAY_WORKER_STATUS ?? null,
    warnings: warningsOf(values, tls),
  };
}

/** @throws ConfigError with the mistakes that it makes */
function allRight<T>(read: (mistakes: string[]) => T): T {
  const mistakes: string[] = [];
  const value = read(mistakes);
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  return value;
}

function warningsOf({ PARLEY_PUBLIC_URL: publicUrl, PARLEY_PROXIES: proxies }: Values, tls: Config['tls']): string[] {
  // Somebody else ends TLS: then every connection comes from there.
  if (tls !== null || proxies !== 0 || !publicUrl?.startsWith('https:')) return [];
  return [
    'PARLEY_PUBLIC_URL is https and PARLEY_PROXIES is 0: everybody seems to come from the proxy’s address, and limits per address count for all together. ' +
      'Set PARLEY_PROXIES=1 where one proxy in front sets X-Forwarded-For.',
  ];
}

function relayOf(values: Values): RelayConfig | null {
  if (values.PARLEY_RELAY !== 'embedded') return null;
  const { PARLEY_HOST: host = '', PARLEY_RELAY_ADDRESS: announced } = values;
  const isLocal = announced === undefined && isLoopback(host);
  const everywhere = (announced ?? [findLanAddress()]).map((address) => ({
    ip: address !== null && isIPv6(address) ? '::' : '0.0.0.0',
    announced: address,
  }));
  return {
    workers: values.PARLEY_RELAY_WORKERS || availableParallelism(),
    port: values.PARLEY_RELAY_PORT ?? 0,
    addresses: isLocal ? [{ ip: '127.0.0.1', announced: null }] : everywhere,
  };
}

/** An empty variable counts as unset: that is how compose files and unit files spell it. */
function readValues(env: Environment, mistakes: string[]): Values {
  const entries = Object.entries(options).map(([name, option]) => {
    const given = env[name]?.trim() || option.fallback;
    if (given === undefined) return [name, undefined];
    try {
      return [name, option.read(given)];
    } catch (error) {
      if (!(error instanceof Mistake)) throw error;
      mistakes.push(`${name} ${error.isSecret ? '' : `is "${given}", but `}${error.message}.`);
      return [name, undefined];
    }
  });
  return Object.fromEntries(entries) as Values;
}

function readTls(values: Values, root: string, readText: (path: string) => string, mistakes: string[]): Config['tls'] {
  const { PARLEY_TLS_CERT: certFile, PARLEY_TLS_KEY: keyFile } = values;
  if (certFile === undefined && keyFile === undefined) return null;
  if (certFile === undefined || keyFile === undefined) {
    mistakes.push('PARLEY_TLS_CERT and PARLEY_TLS_KEY go together: set both, or neither.');
    return null;
  }
  const load = <T>(name: OptionName, file: string, what: string, parse: (pem: string) => T): T | null => {
    let pem: string;
    try {
      pem = readText(resolve(root, file));
    } catch (error) {
      mistakes.push(`${name} is "${file}", which cannot be read: ${(error as Error).message}.`);
      return null;
    }
    try {
      return parse(pem);
    } catch {
      mistakes.push(`${name} is "${file}", which holds no ${what} in PEM form.`);
      return null;
    }
  };
  const cert = load('PARLEY_TLS_CERT', certFile, 'certificate', (pem) => ({ pem, parsed: new X509Certificate(pem) }));
  const key = load('PARLEY_TLS_KEY', keyFile, 'private key', (pem) => ({ pem, parsed: createPrivateKey(pem) }));
  if (cert === null || key === null) return null;
  if (!cert.parsed.checkPrivateKey(key.parsed)) {
    mistakes.push('PARLEY_TLS_KEY is not the key of the certificate in PARLEY_TLS_CERT.');
  }
  return { cert: cert.pem, key: key.pem };
}

function readIce(values: Values, mistakes: string[]): IceConfig {
  const stunUrls = values.PARLEY_STUN_URLS ?? [];
  const { PARLEY_TURN_SECRET: secret, PARLEY_TURN_USER: user, PARLEY_TURN_PASSWORD: password } = values;
  const urls = values.PARLEY_TURN_URLS;
  const asked = secret !== undefined || user !== undefined || password !== undefined;
  if (urls === undefined) {
    // Where the addresses are wrong, that was said already.
    if (asked && mistakes.every((mistake) => !mistake.startsWith('PARLEY_TURN_URLS'))) {
      mistakes.push(
        'PARLEY_TURN_URLS is missing: PARLEY_TURN_SECRET, _USER and _PASSWORD are for the servers it names.',
      );
    }
    return { stunUrls, turn: null };
  }
  if (secret !== undefined && (user !== undefined || password !== undefined)) {
    mistakes.push('PARLEY_TURN_SECRET, or PARLEY_TURN_USER and PARLEY_TURN_PASSWORD: set one of the two, not both.');
  }
  if (secret !== undefined) {
    return { stunUrls, turn: { urls, access: { by: 'secret', secret, ttlSeconds: values.PARLEY_TURN_TTL! } } };
  }
  if (user === undefined || password === undefined) {
    mistakes.push('PARLEY_TURN_URLS needs PARLEY_TURN_SECRET, or PARLEY_TURN_USER and PARLEY_TURN_PASSWORD.');
    return { stunUrls, turn: null };
  }
  return { stunUrls, turn: { urls, access: { by: 'password', user, password } } };
}

/** Names that are nearly one of ours. */
function slipsIn(env: Environment): string[] {
  const known = Object.keys(options);
  return Object.keys(env)
    .filter((name) => name.startsWith('PARLEY_') && !known.includes(name))
    .flatMap((name) => {
      const near = known.find((candidate) => distance(name, candidate) <= 2);
      return near === undefined ? [] : [`${name} is no option. Is ${near} meant?`];
    });
}

/** Levenshtein's: how many letters to insert, delete or replace. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
