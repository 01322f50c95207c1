/** What the kernel says of UDP sockets (proc_net_udp): datagrams that came and found the socket's buffer full. Linux. */
import { readFileSync } from 'node:fs';

/** @param table text of /proc/net/udp @returns by local port, all sockets of a port together */
export function dropsIn(table: string): Map<number, number> {
  const drops = new Map<number, number>();
  for (const line of table.split('\n').slice(1)) {
    const cells = line.trim().split(/\s+/);
    const port = parseInt(cells[1]?.split(':')[1] ?? '', 16);
    const count = Number(cells.at(-1));
    if (Number.isNaN(port) || cells.length < 13) continue;
    drops.set(port, (drops.get(port) ?? 0) + count);
  }
  return drops;
}

/** Datagrams that these ports have dropped so far. */
export function dropped(ports: Iterable<number>): number {
  const drops = dropsIn(readFileSync('/proc/net/udp', 'utf8'));
  let sum = 0;
  for (const port of ports) sum += drops.get(port) ?? 0;
  return sum;
}
