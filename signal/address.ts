/** Addresses: which one limits are counted for, and which ones this machine has. */
import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';

/**
 * The client's address: of the socket, or behind `proxies` proxies the one that the outermost of ours saw. What stands further
 * left in X-Forwarded-For the client may have invented. Of IPv6 the network, 64 bits: the least that one subscriber has.
 */
export function addressOf(request: IncomingMessage, proxies: number): string {
  const socket = request.socket.remoteAddress ?? 'unknown';
  if (proxies === 0) return networkOf(socket);
  const forwarded = String(request.headers['x-forwarded-for'] ?? '').split(',');
  const claimed = forwarded.at(-proxies)?.trim();
  return networkOf(claimed || socket);
}

/** Limits hold for so many times as much of a site's addresses together as of one. */
export const SITE_FACTOR = 16;

/** The site that an address of `addressOf` may be one of: of IPv6 48 bits, the most that one subscriber has (RFC 6177 §2). Else null. */
export function siteOf(address: string): string | null {
  const network = /^([\da-f]+:[\da-f]+:[\da-f]+):[\da-f]+::\/64$/.exec(address);
  return network && `${network[1]}::/48`;
}

/** Some proxies name the port, too: 192.0.2.1:5678, [2001:db8::1]:5678. */
function withoutPort(address: string): string {
  return /^\[([^\]]*)\](?::\d+)?$/.exec(address)?.[1] ?? /^(\d+(?:\.\d+){3}):\d+$/.exec(address)?.[1] ?? address;
}

function networkOf(given: string): string {
  const address = withoutPort(given);
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped) return mapped[1]!;
  if (!isIPv6(address)) return address.slice(0, 64);
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? 0 : tail.split(':').length;
    groups.push(...Array<string>(Math.max(0, 8 - groups.length - after)).fill('0'));
    if (tail !== '') groups.push(...tail.split(':'));
  }
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/** The first address that other machines may know this one by. */
export function findLanAddress(): string | null {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? null;
}
