/**
 * Options of a relay that runs as a process of its own: environment → Config, every mistake at once. `npm run relay -- --help`
 * prints what stands here.
 */
import { availableParallelism, hostname, networkInterfaces } from 'node:os';
import { isIPv6 } from 'node:net';
import type { types } from 'mediasoup';
import * as z from 'zod/mini';
import { RelayId } from '../signal/protocol/relayControl.ts';
import { RELAY_PATH } from '../signal/protocol/relayWire.ts';
import type { ListenTerms } from './workers.ts';

export interface RelayProcessConfig {
  readonly url: string;
  readonly secret: string;
  readonly relay: RelayId;
  readonly region: string;
  readonly workers: number;
  readonly capacity: number;
  readonly listen: ListenTerms;
  readonly pipes: types.TransportListenInfo;
}

/** Peers that one worker is meant for, where the operator says nothing: twenty meetings of ten, say. */
const PEERS_PER_WORKER = 200;

const whole = (least: number, most: number) =>
  z.pipe(
    z.string().check(z.regex(/^\d{1,9}$/, `must be a whole number from ${least} to ${most}`)),
    z.pipe(
      z.transform((text: string) => Number(text)),
      z
        .number()
        .check(
          z.minimum(least, `must be a whole number from ${least} to ${most}`),
          z.maximum(most, `must be a whole number from ${least} to ${most}`),
        ),
    ),
  );
const signalUrl = z.pipe(
  z
    .string()
    .check(
      z.refine(
        (text) => URL.canParse(text) && /^(https?|wss?):$/.test(new URL(text).protocol),
        'must be the address of the signal server, such as https://meet.example.org',
      ),
    ),
  z.transform((text: string) => {
    const url = new URL(RELAY_PATH, text);
    url.protocol = /^(https|wss):$/.test(url.protocol) ? 'wss:' : 'ws:';
    return url.href;
  }),
);
const addresses = z.pipe(
  z.pipe(
    z.string(),
    z.transform((text: string) => text.split(',').map((part) => part.trim())),
  ),
  z
    .array(z.string().check(z.regex(/^[A-Za-z0-9.:-]{1,253}$/, 'must be addresses separated by commas')))
    .check(
      z.refine(
        (all) => all.filter(isIPv6).length < 2 && all.filter((address) => !isIPv6(address)).length < 2,
        'must be an address, or one of IPv4 and one of IPv6 separated by a comma',
      ),
    ),
);

/** In the order in which --help shows them. */
export const relayOptions = {
  PARLEY_RELAY_SIGNAL: { help: 'signal server to work for: https://meet.example.org', schema: signalUrl },
  PARLEY_RELAY_SECRET: {
    help: 'secret that the signal server has, too, at least 32 characters',
    schema: z.string().check(z.minLength(32, 'must have at least 32 characters')),
  },
  PARLEY_RELAY_NAME: {
    help: 'name of this relay, unlike any other’s [the name of this machine]',
    schema: z
      .string()
      .check(z.regex(/^[A-Za-z0-9._-]{1,64}$/, 'may have letters, digits, dots and dashes, 64 at most')),
  },
  PARLEY_REGION: {
    help: 'where it stands, in the words that signal servers use, too',
    schema: z.string().check(z.maxLength(64, 'may have 64 characters at most')),
  },
  PARLEY_RELAY_ADDRESS: {
    help: 'addresses at which people and other relays reach it, IPv4 and IPv6, separated by commas [those of this machine]',
    schema: addresses,
  },
  PARLEY_RELAY_PORT: {
    help: 'first port, UDP and TCP, one per worker; 0 takes free ones (0 to 65000) [0]',
    schema: whole(0, 65_000),
  },
  PARLEY_RELAY_PIPE_PORTS: {
    help: 'UDP ports for pipes between relays, first and last: 40000-40999 [any]',
    schema: z.pipe(
      z.string().check(z.regex(/^\d{1,5}-\d{1,5}$/, 'must be two ports such as 40000-40999')),
      z.transform((text: string) => text.split('-').map(Number) as [number, number]),
    ),
  },
  PARLEY_RELAY_WORKERS: { help: 'workers; 0 is one per core (0 to 64) [0]', schema: whole(0, 64) },
  PARLEY_RELAY_CAPACITY: {
    help: `peers that it takes before others are asked (1 to 100000) [${PEERS_PER_WORKER} per worker]`,
    schema: whole(1, 100_000),
  },
} as const;

type OptionName = keyof typeof relayOptions;
type Values = { [N in OptionName]?: z.infer<(typeof relayOptions)[N]['schema']> };

/** One sentence per mistake. */
export class RelayConfigError extends Error {
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    super(mistakes.join('\n'));
    this.name = 'RelayConfigError';
    this.mistakes = mistakes;
  }
}

/** @throws RelayConfigError with all mistakes */
export function readRelayConfig(env: Readonly<Record<string, string | undefined>>): RelayProcessConfig {
  const mistakes: string[] = [];
  const values: Values = {};
  for (const name of Object.keys(relayOptions) as OptionName[]) {
    const given = env[name]?.trim();
    if (!given) continue;
    const read = relayOptions[name].schema.safeParse(given);
    if (read.success) Object.assign(values, { [name]: read.data });
    else {
      const shown = name === 'PARLEY_RELAY_SECRET' ? 'what it is' : `"${given}"`;
      mistakes.push(`${name} is ${shown}, but ${read.error.issues[0]?.message ?? 'that is not valid'}.`);
    }
  }
  const { PARLEY_RELAY_SIGNAL: url, PARLEY_RELAY_SECRET: secret } = values;
  for (const name of ['PARLEY_RELAY_SIGNAL', 'PARLEY_RELAY_SECRET'] as const) {
    if (!env[name]?.trim()) mistakes.push(`${name} is missing: ${relayOptions[name].help}.`);
  }
  if (mistakes.length > 0 || url === undefined || secret === undefined) throw new RelayConfigError(mistakes);
  const workers = values.PARLEY_RELAY_WORKERS || availableParallelism();
  const announced = values.PARLEY_RELAY_ADDRESS ?? ownAddresses();
  const [first, last] = values.PARLEY_RELAY_PIPE_PORTS ?? [];
  return {
    url,
    secret,
    relay: RelayId.parse(
      values.PARLEY_RELAY_NAME ??
        (hostname()
          .replace(/[^A-Za-z0-9._-]/g, '-')
          .slice(0, 64) ||
          'relay'),
    ),
    region: values.PARLEY_REGION ?? '',
    workers,
    capacity: values.PARLEY_RELAY_CAPACITY ?? workers * PEERS_PER_WORKER,
    listen: { addresses: announced.map(listenAt), port: values.PARLEY_RELAY_PORT ?? 0 },
    pipes: {
      protocol: 'udp',
      ip: isIPv6(announced[0]!) ? '::' : '0.0.0.0',
      announcedAddress: announced[0]!,
      ...(first === undefined || last === undefined ? {} : { portRange: { min: first, max: last } }),
    },
  };
}

/** An address that people are told, and the one to listen on for it. */
export function listenAt(announced: string): ListenTerms['addresses'][number] {
  return { ip: isIPv6(announced) ? '::' : '0.0.0.0', announced };
}

function ownAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const outer = all.filter(({ internal, address }) => !internal && !address.startsWith('fe80:'));
  const first = (family: string) => outer.find((one) => one.family === family)?.address;
  const found = [first('IPv4'), first('IPv6')].filter((address) => address !== undefined);
  return found.length > 0 ? found : ['127.0.0.1'];
}
