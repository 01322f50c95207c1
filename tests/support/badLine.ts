/**
 * A call of three at the relay, of whom one has a line that the test can spoil, and what that one perceives by it: for
 * tests/e2e/badLines*.test.ts. Figures are printed.
 */
import { expect } from 'vitest';
import { hasWorker } from '../../relay/relay.ts';
import { type DelayLine, openDelayLine } from './delayLine.ts';
import { endsOf } from './ends.ts';
import { createInternet, type Internet } from './internet.ts';
import { isTone } from './media/readers.ts';
import { type Namespace, whyNoNamespace } from './namespace.ts';
import { longestWithout, perceive, perceivedOf } from './perceiving.ts';
import { type Name, People, type Person, until } from './person.ts';
import { RELAY_SECRET, startRelayProcess } from './relayProcess.ts';
import { serveApp } from './servedApp.ts';

/** Why there can be no such call here, or null. */
export const whyNoBadLines = hasWorker() ? whyNoNamespace() : 'no relay worker (npm test fetches or builds it)';
if (whyNoBadLines !== null && process.env['CI']) throw new Error(`CI needs this: ${whyNoBadLines}`);

export interface BadLineCall {
  anna: Person;
  /** Who has the line, and sees the largest picture of Anna. */
  ben: Person;
  net: Internet;
  host: Namespace;
  line: DelayLine;
  close(): Promise<void>;
}

const PORT = 40_100;
const MEASURE_MS = 3000;

/** All of it closes together, also where it does not come about. */
export async function callWithBadLine(): Promise<BadLineCall> {
  const closing: (() => unknown)[] = [];
  const close = async (): Promise<void> => {
    for (const work of closing.splice(0).reverse()) await work();
  };
  try {
    return { ...(await begin(closing)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function begin(closing: (() => unknown)[]): Promise<Omit<BadLineCall, 'close'>> {
  const app = await serveApp({ PARLEY_RELAY: 'off', PARLEY_RELAY_SECRET: RELAY_SECRET });
  closing.push(() => app.close());
  const port = Number(new URL(app.origin).port);
  const net = await createInternet();
  closing.push(() => net.close());
  const [relayHost, lineHost] = [await net.host(), await net.host()];
  // People are told the address at the near end of the long line, as that of a relay behind NAT.
  const line = await openDelayLine(lineHost, relayHost, PORT);
  closing.push(() => line.close());
  const relay = await startRelayProcess(relayHost, port, {
    PARLEY_RELAY_ADDRESS: lineHost.address,
    PARLEY_RELAY_PORT: String(PORT),
  });
  await until(
    async () => relay.log().includes('relay: at'),
    () => `a relay is there; instead: ${relay.log()}`,
  );
  const hosts = { Anna: await net.host(), Ben: await net.host(), Carla: await net.host() };
  const here = new People(app.origin);
  closing.push(() => here.close());
  const invite = async (name: keyof typeof hosts): Promise<Person> => {
    await hosts[name].bringIn(port);
    // One camera has layers to lose, and one screen shows the largest; what Chromium makes of the small films is one layer.
    const picture = name === 'Anna' ? { width: 960, height: 540, frames: 60 } : {};
    const context = { viewport: name === 'Ben' ? { width: 1680, height: 1050 } : { width: 640, height: 480 } };
    return here.invite(name, { within: hosts[name], picture, context, probe: { meshLimit: 2 } });
  };
  const anna = await invite('Anna');
  const link = await anna.createMeeting(app.origin);
  await anna.join();
  const [ben, carla] = [await invite('Ben'), await invite('Carla')];
  await ben.come(link);
  await carla.come(link);
  for (const person of [anna, ben, carla]) {
    await until(
      async () => {
        const ends = await endsOf(person);
        return ends.length > 0 && ends.every(({ address }) => address === lineHost.address);
      },
      async () => `${person.name} is at the relay alone; instead: ${await person.situation()}`,
    );
  }
  // Where not all fit, the largest stays.
  await ben.tile('Anna').hover();
  await ben.tile('Anna').getByTestId('tile-pin').click();
  await settled(ben, anna);
  return { anna, ben, net, host: hosts.Ben, line };
}

/** Waits for the largest picture that is sent for this tile: a layer that has just begun is not switched to at once. */
async function settled(person: Person, who: Person): Promise<void> {
  let [height, since] = [0, performance.now()];
  await until(
    async () => {
      const now = await heightOf(person, who);
      if (now !== height) [height, since] = [now, performance.now()];
      return height > 270 && performance.now() - since > 3000;
    },
    () => `${person.name} sees ${who.name} in full; instead ${height} lines`,
  );
}

interface Totals {
  /** Samples that were played of the voice, and those of them that were made up. */
  samples: number;
  concealed: number;
  bytes: number;
  height: number;
  roundTrip: number;
}

/** What has come of somebody by now; bytes of all others, too, since they share the line. */
const totalsOf = (person: Person, who: Person): Promise<Totals> =>
  person.page.evaluate(async (name: Name) => {
    const peer = document.querySelector(`[data-testid=tile][data-name="${name}"]`)?.getAttribute('data-peer');
    const totals = { samples: 0, concealed: 0, bytes: 0, height: 0, roundTrip: 0 };
    for (const connection of parleyProbe.connections) {
      if (connection.connectionState !== 'connected') continue;
      for (const { track } of connection.getReceivers()) {
        const source = parleyProbe.sourceOf(track);
        if (source === undefined) continue;
        for (const entry of (await connection.getStats(track)).values()) {
          if (entry.type === 'candidate-pair' && entry.nominated === true)
            totals.roundTrip = Math.max(totals.roundTrip, (entry.currentRoundTripTime ?? 0) * 1000);
          if (entry.type !== 'inbound-rtp') continue;
          totals.bytes += entry.bytesReceived + entry.headerBytesReceived;
          if (source.peer !== peer) continue;
          if (source.kind === 'camera') totals.height = entry.frameHeight ?? 0;
          if (source.kind !== 'microphone') continue;
          totals.samples = entry.totalSamplesReceived;
          totals.concealed = entry.concealedSamples - entry.silentConcealedSamples;
        }
      }
    }
    return totals;
  }, who.name);

/** Lines of the picture that comes. */
export const heightOf = async (person: Person, who: Person): Promise<number> => (await totalsOf(person, who)).height;

export interface Figures {
  /** Share of what was played of the voice that was made up, 0 … 1. */
  concealed: number;
  kbit: number;
  height: number;
  /** Longest time without a new picture, milliseconds. */
  longest: number;
  /** As ICE measures it, milliseconds. */
  roundTrip: number;
}

/** What one perceives of another for a while; the tone is there, whatever the line is like. */
export async function measure(person: Person, who: Person, line: string): Promise<Figures> {
  await perceive(person, who);
  const [before, from] = [await totalsOf(person, who), Date.now()];
  const tone = await person.hear(who.name, MEASURE_MS);
  const [after, seconds] = [await totalsOf(person, who), (Date.now() - from) / 1000];
  const { seen } = await perceivedOf(person, who);
  const figures = {
    concealed: (after.concealed - before.concealed) / Math.max(1, after.samples - before.samples),
    kbit: ((after.bytes - before.bytes) * 8) / 1000 / seconds,
    height: after.height,
    longest: longestWithout(seen, from),
    roundTrip: after.roundTrip,
  };
  console.info(
    `${line}: ${(figures.concealed * 100).toFixed(1)} % of the voice made up, ${Math.round(figures.kbit)} kbit/s down,`,
    `pictures of ${figures.height} lines, ${(seen.length / seconds).toFixed(1)} a second, longest without ${figures.longest} ms,`,
    `round trip ${Math.round(figures.roundTrip)} ms`,
  );
  expect(isTone(tone, who.tone), `${line}: ${JSON.stringify(tone)}`).toBe(true);
  return figures;
}
