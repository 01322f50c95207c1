/** CPU time of a browser with all its processes, from /proc/PID/task/N/schedstat: nanoseconds on a processor, all threads. Linux. */
import { readFileSync, readdirSync } from 'node:fs';

/** @param mark something that only this browser's command lines hold, such as the path of its film */
export function processesOf(mark: string): number[] {
  const parents = new Map<number, number>();
  const roots: number[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const pid = Number(name);
      // proc(5): the name in brackets may hold anything; the parent is the second field after it.
      parents.set(pid, Number(readFileSync(`/proc/${name}/stat`, 'utf8').split(') ').at(-1)!.split(' ')[1]));
      if (readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(mark)) roots.push(pid);
    } catch {
      // It ended in between.
    }
  }
  const family = new Set(roots);
  for (let before = -1; before !== family.size;) {
    before = family.size;
    for (const [pid, parent] of parents) if (family.has(parent)) family.add(pid);
  }
  return [...family];
}

/** Milliseconds of CPU so far. */
export function cpuMs(pids: readonly number[]): number {
  let nanoseconds = 0;
  for (const pid of pids) {
    try {
      for (const task of readdirSync(`/proc/${pid}/task`)) {
        nanoseconds += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
      }
    } catch {
      // It ended in between.
    }
  }
  return nanoseconds / 1e6;
}

/** Resident memory, bytes. */
export function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? NaN) * 1024;
}
