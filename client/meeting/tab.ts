/**
 * What one tab remembers over a reload, and whether the peer that it was still lives elsewhere.
 *
 * A duplicated tab inherits the memory of the first. A Web Lock named after the peer tells them apart: it is held while the peer's
 * page lives, so only the tab that was reloaded may say that it replaces that peer.
 */
import * as z from 'zod/mini';
import { PeerId, type MeetingId } from '../../signal/protocol/ids.ts';
import { storageOf } from '../media/remembered.ts';

const Memory = z.object({ peer: PeerId });

const key = (meeting: MeetingId) => `parley.tab.${meeting}`;
const lockName = (peer: PeerId) => `parley.peer.${peer}`;

/** The peer that this tab was in this meeting before it was reloaded; null if there was none, or if it lives. */
export async function formerPeer(meeting: MeetingId): Promise<PeerId | null> {
  const peer = readMemory(meeting);
  if (peer === null || !navigator.locks) return peer;
  return navigator.locks
    .request(lockName(peer), { ifAvailable: true }, (lock) => (lock ? peer : null))
    .catch(() => null);
}

function readMemory(meeting: MeetingId): PeerId | null {
  try {
    const memory = Memory.safeParse(JSON.parse(storageOf('sessionStorage')?.getItem(key(meeting)) ?? 'null'));
    return memory.success ? memory.data.peer : null;
  } catch {
    return null;
  }
}

/** This tab is that peer now. @returns gives the name free again; idempotent */
export function livesAs(meeting: MeetingId, peer: PeerId): () => void {
  write(meeting, JSON.stringify({ peer }));
  let release = () => undefined as void;
  const held = new Promise<void>((resolve) => (release = resolve));
  void navigator.locks?.request(lockName(peer), () => held).catch(() => undefined);
  return release;
}

/** We left: a reload is a new visit. */
export function forgetTab(meeting: MeetingId): void {
  write(meeting, null);
}

function write(meeting: MeetingId, text: string | null): void {
  try {
    const storage = storageOf('sessionStorage');
    if (text === null) storage?.removeItem(key(meeting));
    else storage?.setItem(key(meeting), text);
  } catch {
    // A reload is then a newcomer, and the old leaf goes as lost.
  }
}
