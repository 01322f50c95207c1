/**
 * Every option of the server: an environment variable, what it means, and how its text is read. `config.ts` makes the
 * configuration of them and `--help` prints them, so neither can forget one.
 *
 * A reader throws `Mistake` with what would be valid; nothing here touches the disk.
 */
import { isIP, isIPv6 } from 'node:net';

/** What is wrong with one value, and what would be right. */
export class Mistake extends Error {
  /** The value is a secret, and not to be shown. */
  readonly isSecret: boolean;

  constructor(message: string, isSecret = false) {
    super(message);
    this.isSecret = isSecret;
  }
}

export interface Option<T> {
  /** Shown by --help, with the valid values. */
  readonly help: string;
  /** Text as somebody would write it; undefined: unset. */
  readonly fallback: string | undefined;
  readonly read: (text: string) => T;
}

function text(help: string, fallback?: string): Option<string> {
  return { help, fallback, read: (value) => value };
}

function secret(help: string): Option<string> {
  const read = (value: string): string => {
    if (value.length < 32) throw new Mistake('must have at least 32 characters', true);
    return value;
  };
  return { help, fallback: undefined, read };
}

function whole(help: string, fallback: number, least: number, most: number): Option<number> {
  const read = (value: string): number => {
    const number = Number(value);
    if (!/^\d{1,15}$/.test(value) || number < least || number > most) {
      throw new Mistake(`must be a whole number from ${least} to ${most}`);
    }
    return number;
  };
  return { help: `${help} (${least} to ${most})`, fallback: String(fallback), read };
}

function oneOf<const T extends string>(help: string, values: readonly T[], fallback: T): Option<T> {
  const read = (value: string): T => {
    const found = values.find((candidate) => candidate === value);
    if (found === undefined) throw new Mistake(`must be one of ${values.join(', ')}`);
    return found;
  };
  return { help: `${help} (${values.join(', ')})`, fallback, read };
}

/** @returns scheme and host alone, `https://meet.example.org` */
function origin(help: string): Option<string> {
  const read = (value: string): string => {
    const wrong = new Mistake('must be an http or https address without a path, such as https://meet.example.org');
    const url = URL.canParse(value) ? new URL(value) : null;
    if (url === null || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search || url.hash) throw wrong;
    if (url.username || url.password) throw wrong;
    return url.origin;
  };
  return { help, fallback: undefined, read };
}

/** Several addresses of ICE servers, separated by commas. RFC 7064 §3.1, RFC 7065 §3.1. */
function iceUrls(help: string, schemes: 'stun' | 'turn'): Option<string[]> {
  const pattern = new RegExp(`^${schemes}s?:[^\\s/?@]+(\\?transport=(udp|tcp))?$`);
  const read = (value: string): string[] => {
    const urls = value.split(',').map((part) => part.trim());
    const wrong = urls.find((url) => !pattern.test(url) || url.length > 512);
    if (wrong !== undefined || urls.length > 8) {
      throw new Mistake(
        `must be up to eight addresses such as ${schemes}:${schemes}.example.org:3478, separated by commas`,
      );
    }
    return urls;
  };
  return { help, fallback: undefined, read };
}

/** An address or a name; whether it is one of this machine shows only at listening. RFC 1123 §2.1: the last label is no number. */
function host(help: string, fallback: string): Option<string> {
  const name = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z]([a-z0-9-]*[a-z0-9])?\.?$/i;
  const read = (value: string): string => {
    if (isIP(value) === 0 && !name.test(value)) {
      throw new Mistake('must be an address or a host name, without a scheme or port, such as 0.0.0.0');
    }
    return value;
  };
  return { help, fallback, read };
}

/** One address of each family, or names that stand for one; separated by a comma. */
function addresses(help: string): Option<string[]> {
  const read = (value: string): string[] => {
    const all = value.split(',').map((part) => part.trim());
    const fits = all.every((address) => isIP(address) !== 0 || /^[A-Za-z0-9.-]{1,253}$/.test(address));
    if (!fits || all.filter(isIPv6).length > 1 || all.filter((address) => !isIPv6(address)).length > 1) {
      throw new Mistake('must be an address, or one of IPv4 and one of IPv6 separated by a comma');
    }
    return all;
  };
  return { help, fallback: undefined, read };
}

/** In the order in which --help shows them. */
export const options = {
  PARLEY_HOST: host('address to listen on; 0.0.0.0 lets other machines in', '127.0.0.1'),
  PARLEY_PORT: whole('port to listen on; 0 takes a free one', 3000, 0, 65_535),
  PARLEY_DATA: text('folder for the database and the sealed files', 'data'),
  PARLEY_PUBLIC_URL: origin('address that people use, where a proxy stands in front: https://meet.example.org'),
  PARLEY_TLS_CERT: text('file with the certificate and its chain, PEM; with PARLEY_TLS_KEY'),
  PARLEY_TLS_KEY: text('file with the private key, PEM; with PARLEY_TLS_CERT'),
  PARLEY_PROXIES: whole('proxies in front whose X-Forwarded-For names the client', 0, 0, 8),
  PARLEY_STUN_URLS: iceUrls('STUN servers, separated by commas: stun:stun.example.org:3478', 'stun'),
  PARLEY_TURN_URLS: iceUrls('TURN servers, separated by commas: turn:turn.example.org:3478?transport=udp', 'turn'),
  PARLEY_TURN_SECRET: text('secret shared with the TURN server for credentials that expire (coturn: use-auth-secret)'),
  PARLEY_TURN_TTL: whole('seconds for which such credentials are good', 43_200, 600, 604_800),
  PARLEY_TURN_USER: text('user name at the TURN server, where it has no shared secret; with PARLEY_TURN_PASSWORD'),
  PARLEY_TURN_PASSWORD: text('password of PARLEY_TURN_USER'),
  PARLEY_RELAY: oneOf('where the relay for larger meetings runs', ['embedded', 'off'], 'embedded'),
  PARLEY_RELAY_SECRET: secret(
    'secret of relays on other hosts (npm run relay), at least 32 characters; without it none is let in',
  ),
  PARLEY_REGION: text('where this server stands; relays of the same region are preferred', ''),
  PARLEY_RELAY_ADDRESS: addresses(
    'addresses at which people reach the relay, where they are not those of this machine: one IPv4, one IPv6, or both',
  ),
  PARLEY_RELAY_PORT: whole('first port of the relay, UDP and TCP, one per worker; 0 takes free ones', 0, 0, 65_000),
  PARLEY_RELAY_WORKERS: whole('workers of the relay; 0 is one per core', 0, 0, 64),
  PARLEY_MEETING_TTL: whole('days after which a meeting that nobody uses is forgotten', 90, 1, 3650),
  PARLEY_MAX_CAPACITY: whole('most people in a meeting, whatever it was made for', 100, 2, 100),
  PARLEY_CHAT_MB: whole('most megabytes of a meeting’s chat', 64, 1, 4096),
  PARLEY_FILES_MB: whole('most megabytes of the files in a meeting’s chat', 1024, 0, 1_048_576),
  PARLEY_MEETINGS_PER_HOUR: whole('meetings that one address may make in an hour', 60, 1, 1_000_000),
  PARLEY_CONNECTIONS_PER_ADDRESS: whole('connections that one address may hold', 256, 1, 1_000_000),
  PARLEY_CONNECTIONS: whole('connections in all', 20_000, 1, 1_000_000),
  PARLEY_LOG_LEVEL: oneOf('what is logged, to standard error', ['error', 'warn', 'info', 'debug', 'silent'], 'warn'),
  PARLEY_CLIENT: text('folder with the built client', 'dist'),
  PARLEY_DEV_ORIGIN: origin('one more origin that may connect, for a development server'),
  PARLEY_RELAY_WORKER_STATUS: text('file that says how far the relay’s worker is, for /healthz; npm start sets it'),
} as const;

export type OptionName = keyof typeof options;

/** What `npm start` itself reads (scripts/setup), before there is a server; listed here, so that one --help has it all. */
const setUpOptions = {
  PARLEY_CACHE: { help: 'folder in which the relay’s worker is kept between checkouts', fallback: '~/.cache/parley' },
  MEDIASOUP_WORKER_BIN: {
    help: 'the relay’s worker, where one is there: nothing is fetched or built',
    fallback: undefined,
  },
} as const;

/** What `--help` prints. */
export function helpText(): string {
  const all = Object.entries<{ help: string; fallback: string | undefined }>({ ...options, ...setUpOptions });
  const lines = all.map(([name, { help, fallback }]) => {
    const preset = fallback === undefined ? '' : ` [${fallback}]`;
    return `  ${name.padEnd(31)} ${help}${preset}`;
  });
  return [
    'Parley: private meetings. Options are environment variables; what is preset stands in brackets.',
    '',
    ...lines,
    '',
    'Example: PARLEY_HOST=0.0.0.0 PARLEY_TLS_CERT=cert.pem PARLEY_TLS_KEY=key.pem npm start',
    '',
  ].join('\n');
}
