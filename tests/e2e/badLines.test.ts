/**
 * One call at the relay while the line of one of three becomes bad: packets are lost, then it is long. What is heard stays a voice,
 * pictures come more slowly, and all is as before once the line is good again. A narrow line is in badLinesNarrow.test.ts.
 *
 * Figures are printed; the bounds are those that hold on a busy machine of two cores, too.
 */
import { afterEach, expect, test } from 'vitest';
import { type BadLineCall, callWithBadLine, heightOf, measure, whyNoBadLines as why } from '../support/badLine.ts';
import { until } from '../support/person.ts';

let call: BadLineCall | undefined;

afterEach(() => call?.close());

test.skipIf(why !== null)(
  `loss and a long line: the voice stays, pictures go on, and all comes back${why === null ? '' : ` (skipped: ${why})`}`,
  { timeout: 90_000 },
  async () => {
    const { ben, anna, net, host, line } = (call = await callWithBadLine());
    const good = await measure(ben, anna, 'a good line');
    expect(good.concealed).toBeLessThan(0.1);

    net.lose(host, 5);
    const five = await measure(ben, anna, '5 % lost');
    expect(five.concealed).toBeLessThan(0.2);
    expect(five.longest).toBeLessThan(3000);

    net.lose(host, 20);
    const twenty = await measure(ben, anna, '20 % lost');
    expect(twenty.concealed).toBeLessThan(0.4);
    expect(twenty.longest).toBeLessThan(3000);
    net.lose(host, 0);
    await until(
      async () => (await heightOf(ben, anna)) === good.height,
      async () => `the full picture after loss; instead ${await heightOf(ben, anna)}`,
    );

    line.hold(300);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const long = await measure(ben, anna, '300 ms each way');
    expect(long.roundTrip).toBeGreaterThan(500);
    expect(long.concealed).toBeLessThan(0.2);
    expect(long.longest).toBeLessThan(3000);
    line.hold(0);

    expect((await ben.totals()).unopened).toBe(0);
  },
);
