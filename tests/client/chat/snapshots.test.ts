/** Snapshots that members make of the log: what newcomers have of them, and what nobody may do with them. */
import { beforeEach, describe, expect, test } from 'vitest';
import { base64url, fromBase64url } from '../../../crypto/bytes.ts';
import { random } from '../../../crypto/primitives.ts';
import { ChatDocument } from '../../../client/chat/document.ts';
import { accessOf, Device, Log, opened, person, plant, Time, type Person } from './world.ts';

const NOTHING = { lists: [], entries: [] };

let log: Log;
let time: Time;
let access: ReturnType<typeof accessOf>;
let people: Person[];

beforeEach(async () => {
  [log, time, access] = [new Log(), new Time(), accessOf()];
  people = await Promise.all(['Ada', 'Ben', 'Cy'].map(person));
});

let seed = 0;
const device = (who: Person, more: Partial<ConstructorParameters<typeof Device>[0]> = {}): Promise<Device> =>
  new Device({
    ...{ person: who, log, time, access, snapshotAfter: 8 },
    random: () => ((seed += 7) % 10) / 10,
    ...more,
  }).start();
const newcomer = async (): Promise<Device> => {
  const late = await device(await person('Eve'), { access });
  late.connect();
  await settle();
  return late;
};
const say = (text: string) => ({ is: 'say', text }) as const;
const settle = (): Promise<void> => time.pass(60_000);

async function talk(count: number, more: Partial<ConstructorParameters<typeof Device>[0]> = {}): Promise<Device[]> {
  const devices = await Promise.all(people.slice(0, 2).map((one) => device(one, more)));
  for (const one of devices) one.connect();
  for (let i = 0; i < count; i++) {
    await devices[i % 2]!.chat.write([say(`message ${i}`)]);
    await time.pass(50);
  }
  await settle();
  return devices;
}

const silent = () => new ChatDocument({ added: () => undefined, removed: () => undefined, updated: () => undefined });

/** What lies in the confirmed one, as a document. */
async function held(by: Device): Promise<string[]> {
  const snapshot = log.snapshot!;
  const { document } = (await opened(by, log.parts.get(snapshot.id)!, snapshot))!;
  const { verdicts } = await by.keeper.read({ entries: document.entries });
  return verdicts.flatMap((one) => (one.is === 'read' && one.entry.body !== null ? [one.entry.body] : []));
}

describe('a snapshot', () => {
  test('is made by one, confirmed by another, and all that newcomers need', async () => {
    const [a, b] = (await talk(20)) as [Device, Device];
    expect(log.snapshot).not.toBeNull();
    expect(log.base).toBeGreaterThan(0);
    await a.chat.write([say('after it')]);
    await settle();
    const late = await newcomer();
    expect(late.texts).toEqual(a.texts);
    expect(late.texts).toHaveLength(21);
    expect(b.texts).toEqual(a.texts);
    expect([a, b, late].flatMap(({ alarms }) => alarms)).toEqual([]);
    expect(late.chat.thread.said.every(({ id }) => late.chat.isKept(id))).toBe(true);
    // Nothing is given to the log once more because it lies in a snapshot now, and no snapshot is made of nothing new.
    const [items, { id }] = [log.items.length, log.snapshot!];
    for (const one of [a, b, late]) {
      await one.chat.settled();
      one.kill();
      await one.start();
      one.connect();
    }
    await settle();
    expect([log.items.length, log.snapshot!.id]).toEqual([items, id]);
  });

  test('reaches whoever was away for longer than the log goes back, and takes what they wrote meanwhile', async () => {
    const [a, b] = (await talk(4)) as [Device, Device];
    b.disconnect();
    await b.chat.write([say('written offline')]);
    const cy = await device(people[2]!);
    cy.connect();
    for (let i = 0; i < 20; i++) await a.chat.write([say(`more ${i}`)]);
    await settle();
    await a.chat.write([say('x')]);
    for (let i = 0; i < 12; i++) {
      await cy.chat.write([say(`by Cy ${i}`)]);
      await time.pass(50);
    }
    await settle();
    expect(log.base).toBeGreaterThan(8);
    b.connect();
    await settle();
    const late = await newcomer();
    for (const one of [a, b, cy, late]) {
      expect(one.texts).toHaveLength(4 + 1 + 20 + 1 + 12);
      expect(one.alarms).toEqual([]);
    }
    expect(late.texts).toEqual(b.texts);
  });

  test('does not bring back what was erased, and is replaced where it holds that still', async () => {
    const [a, b] = (await talk(20)) as [Device, Device];
    const before = log.snapshot!;
    const victim = a.chat.thread.said.find(({ text }) => text === 'message 2')!;
    expect(await held(b)).toContainEqual(expect.stringContaining('message 2"'));
    await a.chat.erase(victim.id);
    await settle();
    await settle();
    expect(log.snapshot!.id).not.toBe(before.id);
    expect(log.parts.has(before.id)).toBe(false);
    expect(await held(b)).not.toContainEqual(expect.stringContaining('message 2"'));
    const late = await newcomer();
    expect(late.texts).toEqual(a.texts);
    expect(late.texts[2]).toBe('(gone)');
    expect([a, b, late].flatMap(({ alarms }) => alarms)).toEqual([]);
  });

  test('that lacks what others know is not confirmed', async () => {
    const [a, b] = (await talk(6)) as [Device, Device];
    const other = silent();
    const snapshot = await plant(log, a, other.outline());
    b.pushed({ type: 'snapshot', snapshot });
    await settle();
    expect(log.snapshot).toBeNull();
    expect(b.alarms).toEqual([]);
  });

  test('that lacks something and was confirmed by two in league is said aloud, filled again, and replaced', async () => {
    const [a, b] = (await talk(6)) as [Device, Device];
    a.disconnect();
    const planted = await plant(log, a, NOTHING);
    const confirmed = log.confirm(planted.id, b)!;
    b.pushed({ type: 'snapshot', snapshot: confirmed });
    await settle();
    expect(b.alarms).toEqual(['dropped']);
    a.connect();
    await settle();
    const late = await newcomer();
    expect(late.texts).toEqual(b.texts);
    expect(late.texts).toHaveLength(6);
    expect(log.snapshot!.id).not.toBe(planted.id);
  });

  test('that leaves out the end of what somebody wrote shows as soon as they write again', async () => {
    const [a, b] = (await talk(6, { snapshotAfter: 1_000_000 })) as [Device, Device];
    a.disconnect();
    const document = silent();
    const { updates } = await b.keeper.peek({ items: log.items });
    document.apply(
      updates.flatMap((update) => update ?? []),
      null,
    );
    const last = a.chat.thread.said.findLast(({ author }) => author === a.chat.self)!;
    const whole = document.outline();
    const { verdicts } = await b.keeper.read({ entries: whole.entries.map(({ bytes }) => bytes) });
    const entries = whole.entries.filter((_, i) => {
      const verdict = verdicts[i]!;
      return verdict.is !== 'read' || verdict.entry.id !== last.id;
    });
    expect(entries).toHaveLength(whole.entries.length - 1);
    const planted = await plant(log, b, { ...whole, entries });
    log.confirm(planted.id, a);
    b.disconnect();
    const late = await newcomer();
    // Nobody whom they have not met is missed.
    expect([late.texts.length, late.alarms]).toEqual([5, []]);
    const { written } = await a.keeper.write({
      at: time.now,
      bodies: [JSON.stringify(say('next'))],
      to: null,
      card: '',
    });
    const next = silent();
    next.add(written.map(({ bytes }) => bytes));
    const { items } = await a.keeper.seal({ update: next.changes() });
    const item = log.append(base64url(random(16)), items[0]!.body);
    late.pushed({ type: 'items', items: [item] });
    await settle();
    expect(late.texts).toHaveLength(6);
    expect(late.alarms).toEqual(['gap']);
  });

  test.each<[string, (parts: string[]) => string[]]>([
    ['altered', ([one, ...rest]) => [flipped(one!), ...rest]],
    ['of somebody who holds no key', () => [base64url(random(500))]],
    ['cut short', ([one]) => [one!.slice(0, 400)]],
  ])('%s, by the server, is noticed by newcomers', async (_what, tamper) => {
    const [a] = (await talk(20)) as [Device, Device];
    const { id } = log.snapshot!;
    log.parts.set(id, tamper(log.parts.get(id)!));
    const late = await newcomer();
    expect(late.alarms).toContain('forged');
    expect(late.texts.length).toBeLessThan(a.texts.length);
  });

  test('by somebody who was removed counts for nobody, with all that the server can do', async () => {
    const [a, b] = (await talk(6)) as [Device, Device];
    const c = await device(people[2]!);
    c.connect();
    await settle();
    access = accessOf(1);
    for (const one of [a, b]) {
      one.access = access;
      one.chat.renewed();
    }
    await settle();
    c.disconnect();
    // Cy writes under the former key, and puts that into a snapshot that covers all there is.
    await c.chat.write([say('still here')]);
    const planted = await plant(log, c, NOTHING);
    const confirmed = log.confirm(planted.id, b)!;
    for (const one of [a, b]) one.pushed({ type: 'snapshot', snapshot: confirmed });
    await settle();
    await settle();
    const late = await newcomer();
    expect(late.texts).toEqual(a.texts);
    expect(late.texts).toHaveLength(6);
    expect(late.texts).not.toContain('still here');
  });

  test('made under a former link is made anew under the next, and opens nothing to whoever has neither', async () => {
    const [a, b] = (await talk(20)) as [Device, Device];
    const before = log.snapshot!;
    const stranger = await device(await person('Mal'), { access: accessOf(1) });
    stranger.connect();
    access = accessOf(1);
    for (const one of [a, b]) {
      one.access = access;
      one.chat.renewed();
    }
    await settle();
    expect(log.snapshot!.id).not.toBe(before.id);
    const late = await newcomer();
    expect(late.texts).toEqual(a.texts);
    expect(late.alarms).toEqual([]);
    const snapshot = log.snapshot!;
    const seen = await opened(stranger, log.parts.get(snapshot.id)!, snapshot, true);
    expect(seen?.document.entries ?? []).toEqual([]);
    expect(stranger.texts).toEqual([]);
  });

  test('gives nothing of entries under a key that a newcomer lacks: not even their change of the document', async () => {
    const [a, b] = (await talk(4)) as [Device, Device];
    access = accessOf(1);
    for (const one of [a, b]) {
      one.access = access;
      one.chat.renewed();
    }
    await settle();
    await a.chat.write([say('under the next key')]);
    await settle();
    for (let i = 0; i < 12; i++) await b.chat.write([say(`more ${i}`)]);
    await settle();
    const snapshot = log.snapshot!;
    const parts = log.parts.get(snapshot.id)!;
    const keys = a.keys.ring.all.map(({ key }) => key);
    expect(keys).toHaveLength(2);
    // Whoever holds but one of the keys opens what lies under it, whole, and of the other not even where it lies.
    const all = (await opened(b, parts, snapshot))!;
    const counts = [];
    for (const missing of keys) {
      const one = await device(people[2]!);
      for (const held of a.keys.ring.all)
        if (held.key !== missing) await one.keys.ring.add(held, { heard: 0, place: 0, told: false, from: null });
      const seen = (await opened(one, parts, snapshot))!;
      // Sealed under the newer one as a whole.
      if (a.keys.ring.generationOf(missing.id) === 1) expect([seen.hidden, seen.document.entries]).toEqual([1, []]);
      else {
        expect(seen.hidden).toBe(1);
        for (const entry of seen.document.entries) expect(String(entry.slice(1, 17))).not.toBe(String(missing.id));
        expect(seen.document.isWaiting).toBe(false);
        counts.push(seen.document.entries.length);
      }
    }
    expect(counts).toEqual([15]);
    expect([all.hidden, all.document.entries.length]).toEqual([0, 21]);
  });

  test('that the host has deleted, with the log, comes back by nobody', async () => {
    const [a] = (await talk(20)) as [Device, Device];
    await log.hostClears();
    await settle();
    for (let i = 0; i < 12; i++) {
      await a.chat.write([say(`new ${i}`)]);
      await time.pass(50);
    }
    await settle();
    const late = await newcomer();
    expect(late.texts).toEqual(Array.from({ length: 12 }, (_, i) => `new ${i}`));
    expect(await held(a)).toHaveLength(12);
  });
});

function flipped(text: string): string {
  const bytes = fromBase64url(text);
  bytes[bytes.length - 100]! ^= 1;
  return base64url(bytes);
}
