import { beforeAll, describe, expect, test } from 'vitest';
import { HostStates } from '../../../client/e2ee/session/hostStates.ts';
import { base64url } from '../../../crypto/bytes.ts';
import type { KeyPair } from '../../../crypto/primitives.ts';
import { signKeyPair } from '../../../crypto/primitives.ts';
import { signText } from '../../../crypto/signed.ts';
import type { HostState, Signed } from '../../../signal/protocol/documents.ts';
import { labels } from '../../../signal/protocol/documents.ts';
import type { MeetingId } from '../../../signal/protocol/ids.ts';

const MEETING = 'h3kd-92mz-qx07-v5tn' as MeetingId;

let host: KeyPair;
beforeAll(async () => {
  host = await signKeyPair();
});

async function signed(change: Partial<HostState>, key = host, label: string = labels.hostState): Promise<Signed> {
  const state: HostState = { version: 1, meeting: MEETING, generation: 0, locked: false, bans: [], ...change };
  const body = JSON.stringify(state);
  return { body, signature: base64url(await signText(label, body, key.privateKey)) };
}

async function statesWith(known: Signed | null): Promise<{ states: HostStates; kept: Signed[] }> {
  const kept: Signed[] = [];
  const keep = (one: Signed) => void kept.push(one);
  const states = await HostStates.open({ meeting: MEETING, hostPublicKey: host.publicKey, known, keep });
  kept.length = 0;
  return { states, kept };
}

describe('a host state', () => {
  test('that is newer is taken and kept; the same again changes nothing', async () => {
    const { states, kept } = await statesWith(await signed({ version: 3 }));
    const next = await signed({ version: 4, locked: true });
    expect(await states.accept(next)).toBe('newer');
    expect(await states.accept(next)).toBe('same');
    expect([states.version, states.locked, kept]).toEqual([4, true, [next]]);
  });

  test.each([
    ['of an older version', 'older', () => signed({ version: 2 })],
    ['of the same version with another text', 'forged', () => signed({ version: 3, locked: true })],
    ['of another meeting', 'forged', () => signed({ version: 4, meeting: 'aaaa-bbbb-cccc-dddd' as MeetingId })],
    ['by another key', 'forged', async () => signed({ version: 4 }, await signKeyPair())],
    ['signed for another purpose', 'forged', () => signed({ version: 4 }, host, labels.hostCommand)],
    ['changed after it was signed', 'forged', async () => ({ ...(await signed({ version: 4 })), body: '{}' })],
  ] as const)('%s is refused, and nothing changes', async (_name, verdict, make) => {
    const known = await signed({ version: 3 });
    const { states, kept } = await statesWith(known);
    expect(await states.accept(await make())).toBe(verdict);
    expect([states.version, states.locked, states.signed, kept]).toEqual([3, false, known, []]);
  });
});
