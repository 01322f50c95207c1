/**
 * An internet of the test's own: hosts in network namespaces around a router in another. What the router lets through, how much is
 * lost there and how wide each host's line is, the test decides. Nothing leaves it, and this machine's own network is not touched.
 *
 * Ports of the outside (the test's own server) are carried in as by namespace.ts, so signalling does not pass the router.
 */
import { execFileSync } from 'node:child_process';
import { createNamespace, type Namespace } from './namespace.ts';

export interface Internet {
  host(): Promise<Namespace>;
  /** Nothing passes between these two. */
  part(one: Namespace, other: Namespace): void;
  /** No UDP from or to it. */
  blockUdp(host: Namespace): void;
  /** Of each hundred packets from and to it so many are lost. 0: none. */
  lose(host: Namespace, percent: number): void;
  /** Its line carries so much down, kbit/s, and holds back 200 ms of what is more than that; null: all. */
  narrow(host: Namespace, kbit: number | null): void;
  close(): Promise<void>;
}

export async function createInternet(): Promise<Internet> {
  const router = await createNamespace();
  const hosts: Namespace[] = [];
  const inside = (command: string, ...args: string[]): void =>
    void execFileSync('ip', ['netns', 'exec', router.name, command, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  inside('sysctl', '-qw', 'net.ipv4.ip_forward=1');
  inside('nft', 'add table inet parley');
  inside('nft', 'add chain inet parley forward { type filter hook forward priority 0; policy accept; }');
  const losses = new Map<Namespace, number>();
  const walls: string[] = [];
  const rules = (): void => {
    inside('nft', 'flush chain inet parley forward');
    for (const wall of walls) inside('nft', `add rule inet parley forward ${wall} drop`);
    for (const [{ address }, percent] of losses) {
      if (percent === 0) continue;
      // nft takes no comparison that always holds.
      const lost = percent >= 100 ? 'drop' : `numgen random mod 100 < ${percent} drop`;
      inside('nft', `add rule inet parley forward ip saddr ${address} ${lost}`);
      inside('nft', `add rule inet parley forward ip daddr ${address} ${lost}`);
    }
  };
  return {
    async host() {
      const host = await createNamespace(router.name);
      hosts.push(host);
      return host;
    },
    part(one, other) {
      walls.push(
        `ip saddr ${one.address} ip daddr ${other.address}`,
        `ip saddr ${other.address} ip daddr ${one.address}`,
      );
      rules();
    },
    blockUdp({ address }) {
      walls.push(`ip saddr ${address} meta l4proto udp`, `ip daddr ${address} meta l4proto udp`);
      rules();
    },
    lose(host, percent) {
      losses.set(host, percent);
      rules();
    },
    narrow({ link }, kbit) {
      try {
        inside('tc', 'qdisc', 'del', 'dev', link, 'root');
      } catch {
        // It had none.
      }
      // Of bursts as little as goes at once, so that it is narrow from the first moment on.
      if (kbit !== null)
        inside('tc', ...`qdisc add dev ${link} root tbf rate ${kbit}kbit burst 3000 latency 200ms`.split(' '));
    },
    async close() {
      for (const host of hosts) await host.close();
      await router.close();
    },
  };
}
