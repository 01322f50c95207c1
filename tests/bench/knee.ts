/**
 * Row 8: one worker of the relay to its knee, the most packets a second that it forwards with at most 0.1 % lost, against what one core
 * can hand to the kernel by sendto alone; and what a worker that full pays for a packet, from which follows what a core carries. Then two
 * workers at once: whether either pays more for a packet than one by itself.
 *
 * Nobody reads what arrives: the receivers are stopped, their sockets' buffers full, and the kernel counts what it drops there. So the
 * generator takes one core (one sender, a fraction of the packets) and leaves the other to what is measured; both sides pay for the
 * way through the loopback interface and for nothing behind it.
 */
import { execFile } from 'node:child_process';
import { setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { capacityTable, costOf } from './capacity.ts';
import { Forwarder, payloadOf, type Run } from './forwarder.ts';
import type { Bench, Report } from './measure.ts';
import { figure, median } from './measure.ts';

/** Of one stream. With few of them one sender in JavaScript comes to its end before the worker does; the table says where. */
const SUBSCRIBERS = [8, 20, 50, 75, 100];
/** Where the knee is compared with the limit. */
const COMPARED_AT = 100;
const PAYLOAD_BYTES = 1000;
/** RTP's header, and the tag of AES-GCM (RFC 7714 §5.1). */
const AROUND_BYTES = 12 + 16;
const MOST_LOST = 0.001;
/** Every buffer of a receiver is full after so many. */
const FILL_PACKETS = 400;
/** Halvings of the range from nothing to the limit: 1.6 % of the limit are left. */
const STEPS = 6;
/** A generator that is slower than told measures itself. */
const LEAST_OF_RATE = 0.97;
const LEAST_SHARE = 0.35;
/** Packets in a second, which every receiver reads in time. */
const EASY = 200;
/**
 * Of its knee, what each of two workers carries while they are compared with one: there are two cores for them and their senders. What a
 * packet costs then tells what two would carry that have a core each.
 */
const PART_FULL = 0.35;
const LEAST_FOR_TWO = 1.9;
/** Long enough that what wakes up beside us now and then is a small part. */
const PAIR_SECONDS = 3;

export interface Step {
  lost: number;
  /** Forwarded packets a second, as they were really sent. */
  perSecond: number;
  workerShare: number;
  /** Of the worker, for each packet that it sent on, what came in included. */
  us: number;
}

export interface Knee extends Step {
  /** What the next step up failed at. */
  end: 'worker' | 'sender';
}

interface Limit {
  perSecond: number;
  perCpuSecond: number;
}

/** @param run what happened @param subscribers of every packet */
export function stepOf(run: Run, subscribers: number): Step {
  // Each packet that the worker's socket had no room for would have been forwarded to all.
  const atRelay = run.droppedAtRelay / run.sent;
  const expected = run.sent * subscribers;
  // Reports of the relay arrive as well, so what has arrived may be a little more than was sent.
  return {
    lost: Math.max(atRelay, 1 - run.arrived / expected, 0),
    perSecond: expected / run.seconds,
    workerShare: run.workerMs / 1000 / run.seconds,
    us: (run.workerMs * 1000) / expected,
  };
}

/**
 * The highest rate between nothing and `most` that the worker carries and the sender keeps, by halving.
 * @returns null where there is none
 */
export async function kneeBelow(
  most: number,
  steps: number,
  run: (rate: number) => Promise<Step>,
): Promise<Knee | null> {
  let [low, high] = [0, most];
  let best: Step | null = null;
  let end: Knee['end'] = 'worker';
  for (let step = 0; step < steps; step++) {
    const rate = (low + high) / 2;
    const found = await run(rate);
    // More than all of a core is what it worked off its socket's buffer afterwards: it would have been lost later.
    const isCarried = found.lost <= MOST_LOST && found.workerShare <= 1;
    if (isCarried && found.perSecond >= rate * LEAST_OF_RATE) {
      [low, best] = [rate, found];
      continue;
    }
    high = rate;
    end = isCarried ? 'sender' : 'worker';
  }
  return best && { ...best, end };
}

async function sendtoLimit(seconds: number): Promise<Limit> {
  const script = fileURLToPath(new URL('processes/sendto.pl', import.meta.url));
  const size = PAYLOAD_BYTES + AROUND_BYTES;
  const running = promisify(execFile)('perl', [script, `${COMPARED_AT}`, `${size}`, `${seconds}`]);
  first(running.child.pid);
  const [sent, took, used] = (await running).stdout.split(' ').map(Number);
  return { perSecond: sent! / took!, perCpuSecond: sent! / used! };
}

/** Before other work of the machine, where we may. @returns whether we may */
function first(pid: number | undefined): boolean {
  try {
    if (pid !== undefined) setPriority(pid, -20);
    return pid !== undefined;
  } catch {
    return false;
  }
}

/** @throws Error where not even a few packets a second come to those who read them */
async function checkArrival(forwarder: Forwarder): Promise<void> {
  const { subscribers } = forwarder;
  const run = await forwarder.run({ perSecond: EASY, seconds: 0.5, payload: payloadOf(PAYLOAD_BYTES) });
  if (Math.abs(run.arrived / (run.sent * subscribers) - 1) > MOST_LOST)
    throw new Error(`${run.arrived} of ${run.sent * subscribers} packets arrived at ${subscribers} subscribers`);
}

async function kneeOf(forwarder: Forwarder, limit: number, seconds: number): Promise<Knee> {
  const payload = payloadOf(PAYLOAD_BYTES);
  const { subscribers } = forwarder;
  process.kill(forwarder.receivers, 'SIGSTOP');
  try {
    await forwarder.run({ perSecond: 400, seconds: FILL_PACKETS / 400, payload }, false);
    const found = await kneeBelow(limit, STEPS, async (rate) =>
      stepOf(await forwarder.run({ perSecond: rate / subscribers, seconds, payload }, false), subscribers),
    );
    if (found === null) throw new Error(`packets are lost at any rate to ${subscribers} subscribers`);
    return found;
  } finally {
    process.kill(forwarder.receivers, 'SIGCONT');
  }
}

interface Pair {
  /** µs for a packet out, of each by itself and of both at once. */
  alone: number;
  together: number;
}

/** @param rate packets a second out, of each */
async function comparePair(pair: readonly [Forwarder, Forwarder], rate: number, seconds: number): Promise<Pair> {
  const payload = payloadOf(PAYLOAD_BYTES);
  const costOfOne = async (forwarder: Forwarder): Promise<number> => {
    const { subscribers } = forwarder;
    const step = stepOf(await forwarder.run({ perSecond: rate / subscribers, seconds, payload }, false), subscribers);
    if (step.lost > MOST_LOST || step.perSecond < rate * LEAST_OF_RATE)
      throw new Error(
        `a worker that is far from full carried ${step.perSecond} of ${rate} packets/s, lost ${step.lost}`,
      );
    return step.us;
  };
  for (const { receivers } of pair) process.kill(receivers, 'SIGSTOP');
  try {
    for (const forwarder of pair) await forwarder.run({ perSecond: 400, seconds: FILL_PACKETS / 400, payload }, false);
    const alone: number[] = [];
    const together: number[] = [];
    // A B A B: what else the machine does falls on both.
    for (const forwarder of pair) {
      alone.push(await costOfOne(forwarder));
      together.push(...(await Promise.all(pair.map(costOfOne))));
    }
    return { alone: mean(alone), together: mean(together) };
  } finally {
    for (const { receivers } of pair) process.kill(receivers, 'SIGCONT');
  }
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const medianOf = (knees: readonly Knee[], value: (knee: Knee) => number): number => median(knees.map(value));

export function curveTable(points: ReadonlyMap<number, readonly Knee[]>): NonNullable<Report['tables']>[0] {
  return {
    title: 'One stream to so many subscribers, as fast as it goes with at most 0.1 % lost',
    head: [
      'subscribers',
      'packets/s in',
      'packets/s out',
      'of a core',
      'µs for a packet out',
      'the next step was too much for',
    ],
    rows: [...points].map(([subscribers, knees]) => [
      String(subscribers),
      Math.round(medianOf(knees, (knee) => knee.perSecond) / subscribers).toLocaleString('en'),
      Math.round(medianOf(knees, (knee) => knee.perSecond)).toLocaleString('en'),
      `${(medianOf(knees, (knee) => knee.workerShare) * 100).toFixed(0)} %`,
      medianOf(knees, (knee) => knee.us).toFixed(2),
      [...new Set(knees.map(({ end }) => (end === 'worker' ? 'the worker' : 'our sender')))].sort().join(', '),
    ]),
  };
}

export const knee: Bench = {
  row: 8,
  name: 'knee',
  title: 'One relay worker to its knee: a stream to a hundred subscribers, loss above 0.1 %',
  async run({ rounds, quick, say }) {
    const seconds = quick ? 0.5 : 1;
    const points = new Map<number, Knee[]>();
    const limits: Limit[] = [];
    const forwarder = await Forwarder.start('parley');
    const second = await Forwarder.start('parley');
    try {
      const isFirst = [forwarder, second]
        .flatMap(({ workers, sender }) => [...workers, sender])
        .map(first)
        .every(Boolean);
      for (const subscribers of SUBSCRIBERS) {
        await forwarder.grow(subscribers);
        await checkArrival(forwarder);
        const knees: Knee[] = [];
        for (let round = 0; round < rounds; round++) {
          const limit = await sendtoLimit(seconds);
          const found = await kneeOf(forwarder, limit.perSecond, seconds);
          knees.push(found);
          if (subscribers === COMPARED_AT) limits.push(limit);
          say(
            `${subscribers} subscribers: ${found.perSecond.toFixed(0)} of ${limit.perSecond.toFixed(0)} packets/s, ` +
              `${found.us.toFixed(2)} µs each, worker at ${(found.workerShare * 100).toFixed(0)} % of a core, then too much for the ${found.end}`,
          );
        }
        points.set(subscribers, knees);
      }
      const knees = points.get(COMPARED_AT)!;
      if (knees.some(({ end }) => end === 'sender'))
        throw new Error('the sender is slower than the relay: no knee to be found here');
      await second.grow(COMPARED_AT);
      await checkArrival(second);
      const pairs: Pair[] = [];
      for (let round = 0; round < rounds; round++) {
        const found = await comparePair(
          [forwarder, second],
          medianOf(knees, (one) => one.perSecond) * PART_FULL,
          quick ? seconds : PAIR_SECONDS,
        );
        pairs.push(found);
        say(`two workers: ${found.alone.toFixed(2)} µs alone, ${found.together.toFixed(2)} µs both at once`);
      }
      const times = median(pairs.map(({ alone, together }) => (2 * alone) / together));
      const against = { against: 'sendto alone, one core' };
      const reached = figure(
        'forwarded by one worker',
        'packets/s',
        knees.map((one) => one.perSecond),
        limits.map((one) => one.perSecond),
        { ...against, target: `≥ ${LEAST_SHARE * 100} % of the limit` },
      );
      const cost = costOf(
        [...points].map(([subscribers, all]) => ({ subscribers, us: medianOf(all, ({ us }) => us) })),
      );
      return {
        figures: [
          { ...reached, met: reached.ratio! >= LEAST_SHARE },
          figure(
            'the same, for each second of its CPU',
            'packets/s',
            knees.map((one) => 1e6 / one.us),
            limits.map((one) => one.perCpuSecond),
            against,
          ),
          {
            what: `two workers beside each other, by what a packet costs at ${PART_FULL * 100} % of that each`,
            unit: 'packets/s',
            ours: 2 * median(pairs.map(({ together }) => 1e6 / together)),
            other: median(pairs.map(({ alone }) => 1e6 / alone)),
            ratio: times,
            against: 'one worker',
            target: `≥ ${LEAST_FOR_TWO} ×`,
            met: times >= LEAST_FOR_TWO,
          },
        ],
        tables: [curveTable(points), capacityTable(cost)],
        checked: [
          'before each search, what was sent slowly was read by all subscribers',
          `at each rate, what the worker’s socket had no room for, and what the kernel counted at the subscribers’ sockets, was at most ${MOST_LOST * 100} % away from what was sent`,
          `the sender kept its rate${isFirst ? '; it, the worker and sendto went before other work of the machine' : ''}`,
        ],
      };
    } finally {
      await Promise.all([forwarder.close(), second.close()]);
    }
  },
};
