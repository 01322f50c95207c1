/** Row 7: CPU of the relay's worker for each forwarded packet, against bare mediasoup with the same worker, and Janus's video room. */
import { Forwarder, payloadOf } from './forwarder.ts';
import { janusMissing } from './janus.ts';
import type { Bench, Figure } from './measure.ts';
import { figure, interleave, takeTurns } from './measure.ts';
import type { Contender } from './processes/forwarding.ts';

const SUBSCRIBERS = [8, 20, 50, 100];
/** A camera and a microphone, about. */
const PER_SECOND = 200;
const PAYLOAD_BYTES = 1000;
const SEALED_BYTES = 20;
/** Where sealed packets are compared with others. */
const SEALED_AT = 20;
const LEAST_ARRIVED = 0.999;

interface Measured {
  us: number;
  controlMs: number;
  unread: number;
}

async function measure(forwarder: Forwarder, seconds: number, bytes = PAYLOAD_BYTES): Promise<Measured> {
  const run = await forwarder.run({ perSecond: PER_SECOND, seconds, payload: payloadOf(bytes) });
  const share = run.arrived / (run.sent * forwarder.subscribers);
  if (share < LEAST_ARRIVED || share > 2 - LEAST_ARRIVED)
    throw new Error(
      `${(share * 100).toFixed(2)} % of the packets arrived at ${forwarder.subscribers} subscribers of ${forwarder.which}`,
    );
  return { us: (run.workerMs * 1000) / run.arrived, controlMs: run.controlMs, unread: run.unread };
}

export const forwarding: Bench = {
  row: 7,
  name: 'forwarding',
  title: 'The relay’s CPU for a forwarded packet',
  async run({ rounds, quick, say }) {
    const seconds = quick ? 0.5 : 1.2;
    const missing = janusMissing();
    if (missing !== null) say(`${missing}: measured without it`);
    const contenders: readonly Contender[] = missing === null ? ['parley', 'bare', 'janus'] : ['parley', 'bare'];
    const forwarders: Partial<Record<Contender, Forwarder>> = {};
    const figures: Figure[] = [];
    let controlMs = 0;
    let unread = 0;
    const us = (all: Measured[]): number[] => all.map((one) => one.us);
    try {
      for (const which of contenders) forwarders[which] = await Forwarder.start(which);
      const relay = forwarders.parley!;
      for (const subscribers of SUBSCRIBERS) {
        for (const forwarder of Object.values(forwarders)) await forwarder.grow(subscribers);
        const found = await takeTurns(rounds, contenders, (which) => measure(forwarders[which]!, seconds), true);
        controlMs = Math.max(controlMs, ...found.parley.map((one) => one.controlMs));
        for (const one of Object.values(found).flat()) unread += one.unread;
        const ours = us(found.parley);
        const what = `${subscribers} subscribers`;
        say(`${what}: ${ours.map((one) => one.toFixed(1)).join(', ')} µs`);
        figures.push(figure(what, 'µs', ours, us(found.bare), { against: 'bare mediasoup', limit: 1.05 }));
        if (missing === null) figures.push(figure(what, 'µs', ours, us(found.janus), { against: 'Janus' }));
        if (subscribers !== SEALED_AT) continue;
        const sealed = await interleave(
          rounds,
          () => measure(relay, seconds, PAYLOAD_BYTES + SEALED_BYTES),
          () => measure(relay, seconds),
        );
        figures.push(
          figure(`${what}, packets as long as sealed ones`, 'µs', us(sealed.ours), us(sealed.other), {
            against: 'ours, not sealed',
            target: 'E2EE adds 0',
          }),
        );
      }
    } finally {
      await Promise.all(Object.values(forwarders).map((forwarder) => forwarder.close()));
    }
    return {
      figures,
      checked: [
        `at least ${LEAST_ARRIVED * 100} % of the packets arrived at the subscribers’ sockets in every run (${unread} of all were not read there in time)`,
        `the process that tells our worker what to do used ${controlMs.toFixed(1)} ms in the run in which it used most`,
      ],
    };
  },
};
