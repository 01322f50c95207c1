import { afterEach, describe, expect, test } from 'vitest';
import { allOpen, allSee, Scene } from './support/people.ts';

let scene: Scene;
afterEach(() => {
  for (const person of scene.people) expect(person.errors).toEqual([]);
  scene.end();
});

describe('coming together', () => {
  test('somebody alone founds a group and is in it', async () => {
    scene = await Scene.open();
    const ann = await scene.arrive('Ann', { host: true });
    await scene.world.until(() => ann.sees());
    expect(ann.epoch).toBe(0);
    expect(ann.members).toMatchObject([{ name: 'Ann', self: true, host: true }]);
  });

  test('two people meet: the same people, the same codes, and frames open both ways', async () => {
    scene = await Scene.open();
    const [ann, ben] = (await scene.gather('Ann', 'Ben')) as [never, never] as import('./support/people.ts').Person[];
    expect(ann!.names).toEqual(['Ann', 'Ben']);
    expect(ben!.names).toEqual(['Ann', 'Ben']);
    expect(ann!.view!.code).toEqual(ben!.view!.code);
    expect(ann!.view!.code).toHaveLength(6);
    expect(await allOpen([ann!, ben!])).toBe(true);
    expect(allSee([ann!, ben!])).toBe(true);
  });
});
