/** What every bus promises, whatever carries it. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Bus } from '../../signal/bus/bus.ts';

/** @param make  a bus of its own, and the errors that listeners threw in it */
export function busContract(name: string, make: () => Promise<{ bus: Bus; errors: unknown[] }>): void {
  describe(`the ${name} bus`, () => {
    let bus: Bus;
    let errors: unknown[];
    beforeEach(async () => {
      ({ bus, errors } = await make());
    });
    afterEach(() => bus.close());

    /** Messages of a topic, and a promise for the moment when there are `count` of them. */
    async function collect(topic: string) {
      const messages: string[] = [];
      let wake = () => {};
      const off = await bus.subscribe(topic, (message) => {
        messages.push(message);
        wake();
      });
      const until = async (count: number): Promise<string[]> => {
        while (messages.length < count) await new Promise<void>((resolve) => (wake = resolve));
        return messages;
      };
      return { messages, off, until };
    }

    test('delivers in order to every subscription of the topic, the publisher’s own included', async () => {
      const [one, two, other] = await Promise.all([collect('a'), collect('a'), collect('b')]);
      for (const message of ['1', '2', '3']) await bus.publish('a', message);
      await bus.publish('b', 'end');
      expect(await one.until(3)).toEqual(['1', '2', '3']);
      expect(await two.until(3)).toEqual(['1', '2', '3']);
      expect(await other.until(1)).toEqual(['end']);
    });

    test('never delivers within publish', async () => {
      const { messages, until } = await collect('a');
      const published = bus.publish('a', 'late');
      expect(messages).toEqual([]);
      await published;
      await until(1);
    });

    test('delivers nothing after unsubscribing, and goes on for others', async () => {
      const [leaving, staying] = await Promise.all([collect('a'), collect('a')]);
      await bus.publish('a', '1');
      await Promise.all([leaving.until(1), staying.until(1)]);
      leaving.off();
      leaving.off();
      await bus.publish('a', '2');
      await staying.until(2);
      expect(leaving.messages).toEqual(['1']);
    });

    test('counts one function that was subscribed twice as two subscriptions', async () => {
      const heard: string[] = [];
      const listener = (message: string) => void heard.push(message);
      const off = await bus.subscribe('a', listener);
      await bus.subscribe('a', listener);
      off();
      const { until } = await collect('a');
      await bus.publish('a', 'x');
      await until(1);
      expect(heard).toEqual(['x']);
    });

    test('carries any text whole', async () => {
      const { until } = await collect('a');
      const text = `{"ä":"\u{1F600}\\n\0"}${'x'.repeat(100_000)}`;
      await bus.publish('a', text);
      expect(await until(1)).toEqual([text]);
    });

    test('a listener that throws harms nobody else, and is reported', async () => {
      await bus.subscribe('a', () => {
        throw new Error('mine');
      });
      const { until } = await collect('a');
      await bus.publish('a', 'x');
      expect(await until(1)).toEqual(['x']);
      expect(errors).toEqual([new Error('mine')]);
    });

    test('is down once closed, and says so', async () => {
      const { messages } = await collect('a');
      expect(bus.isUp()).toBe(true);
      await bus.publish('a', 'too late');
      await bus.close();
      await bus.close();
      expect(bus.isUp()).toBe(false);
      await expect(bus.publish('a', 'x')).rejects.toThrow();
      await expect(bus.subscribe('a', () => {})).rejects.toThrow();
      expect(messages.length).toBeLessThanOrEqual(1);
    });
  });
}
