/**
 * The meeting machine's part while people are together: members, what they say of their tracks, alarms, and how it ends. Pure.
 */
import * as z from 'zod/mini';
import type { PeerId } from '../../signal/protocol/ids.ts';
import type { MemberView, MessageKind } from '../e2ee/messages.ts';
import type { PathState } from '../transport/transport.ts';
import { end, type Alive } from './ending.ts';
import type { DecidedNotice, Effect, Live, Step } from './state.ts';

type MembersNotice = Extract<DecidedNotice, { type: 'members' }>;

/** Bodies that members send; anything else is ignored. */
const MediaStateBody = z.object({
  microphone: z.boolean(),
  camera: z.boolean(),
  screen: z.boolean(),
  screenAudio: z.boolean(),
});
const HandBody = z.object({ raised: z.boolean() });
const SpeakingBody = z.object({ on: z.boolean() });

export function hear(state: Alive, notice: DecidedNotice, now: number): Step {
  switch (notice.type) {
    case 'members':
      return heardMembers(state, notice, now);
    case 'invite': {
      const told: Effect[] = state.at === 'live' ? [{ type: 'notice', key: 'linkChanged', tone: 'info' }] : [];
      return [state, [{ type: 'address', secret: notice.secret }, ...told]];
    }
    case 'hostState': {
      if (state.at !== 'live' || state.live.locked === notice.locked) return [state, []];
      const key = notice.locked ? 'locked' : 'unlocked';
      return [{ ...state, live: { ...state.live, locked: notice.locked } }, [{ type: 'notice', key, tone: 'info' }]];
    }
    case 'alarm':
      return [state, [alarmed(state, notice)]];
    case 'paused':
      if (state.at !== 'live') return [state, []];
      return [{ ...state, live: { ...state.live, paused: notice.paused } }, [{ type: 'hold', held: notice.paused }]];
    case 'out':
      if (notice.why !== 'repair') return end(state, notice.why, `out.${notice.why}`);
      if (state.at === 'opening') return [state, []];
      // A new leaf and a new join; the page, the devices and the people on the screen stay.
      if (state.at === 'live')
        return [{ ...state, renewing: true, link: { at: 'down', since: now } }, [{ type: 'reconnect', afterMs: 0 }]];
      return [{ ...state, link: { at: 'down', since: now } }, [{ type: 'reconnect', afterMs: 0 }]];
  }
}

function alarmed(state: Alive, notice: Extract<DecidedNotice, { type: 'alarm' }>): Effect {
  const { alarm } = notice;
  if (alarm !== 'unreadable' && alarm !== 'letIn')
    return { type: 'notice', key: alarm, tone: alarm === 'commitRefused' ? 'warning' : 'danger' };
  const members = state.at === 'live' ? state.live.members : [];
  const name = members.find(({ peer }) => peer === notice.peer)?.name ?? undefined;
  // What cannot be read is as likely one member's doing as the server's: named, and no cry of alarm.
  const tone = alarm === 'letIn' ? 'danger' : 'warning';
  return { type: 'notice', key: alarm, ...(name === undefined ? {} : { name }), tone };
}

function heardMembers(state: Alive, notice: MembersNotice, now: number): Step {
  const self = notice.members.find((member) => member.self)?.peer;
  if (state.at === 'opening' || self === undefined) return [state, []];
  const others = notice.members.filter((member) => !member.self);
  const peers = others.map(({ peer }) => peer);
  if (state.at === 'lobby') {
    if (!state.joining) return [state, []];
    const { meeting, attempt, link, name, title } = state;
    const live = withMembers(bare(self, now), notice, now);
    // Who is here already is no news.
    const known = { ...live, announced: peers };
    return [
      { at: 'live', meeting, attempt, link, name, title, live: known, renewing: false },
      [{ type: 'peers', peers }, ...greet(peers)],
    ];
  }
  const before = new Set(state.live.members.map(({ peer }) => peer));
  const news = peers.filter((peer) => !before.has(peer));
  const live = withMembers({ ...state.live, self }, notice, now);
  const told = announcements(state.live, notice);
  const effects: Effect[] = [{ type: 'peers', peers }, ...greet(news), ...told.effects];
  return [{ ...state, renewing: false, live: { ...live, announced: told.announced } }, effects];
}

function bare(self: PeerId, now: number): Live {
  return {
    self,
    since: now,
    members: [],
    code: [],
    authenticator: [],
    epoch: 0,
    locked: false,
    paused: false,
    media: {},
    hands: [],
    speaking: {},
    paths: {},
    lostSince: {},
    announced: [],
    met: [],
  };
}

/** Takes the new list over, and forgets what was known of those who are not in it. */
function withMembers(live: Live, { members, code, authenticator, epoch }: MembersNotice, now: number): Live {
  const present = new Set(members.map(({ peer }) => peer));
  const only = <T>(of: Readonly<Record<PeerId, T>>) =>
    Object.fromEntries(Object.entries(of).filter(([peer]) => present.has(peer as PeerId))) as Record<PeerId, T>;
  const lost = members.filter((member) => member.lost && !member.self);
  return {
    ...live,
    members: inOrder(live.members, members),
    met: [...new Set([...live.met, ...members.flatMap(({ self, name }) => (self || !name ? [] : [name]))])],
    code,
    authenticator,
    epoch,
    media: only(live.media),
    paths: only(live.paths),
    speaking: only(live.speaking),
    hands: live.hands.filter((peer) => present.has(peer)),
    lostSince: Object.fromEntries(lost.map(({ peer }) => [peer, live.lostSince[peer] ?? now])) as Record<
      PeerId,
      number
    >,
  };
}

/** Those who were here keep their places, newcomers follow: tiles do not jump. */
function inOrder(before: readonly MemberView[], now: readonly MemberView[]): MemberView[] {
  const byPeer = new Map(now.map((member) => [member.peer, member]));
  const stayed = before.flatMap(({ peer }) => {
    const member = byPeer.get(peer);
    byPeer.delete(peer);
    return member ? [member] : [];
  });
  return [...stayed, ...byPeer.values()];
}

function greet(peers: readonly PeerId[]): Effect[] {
  return peers.length > 0 ? [{ type: 'greet', peers }] : [];
}

/** Who came and who went, by name. A name comes a moment after its peer, so some are told later. */
function announcements(before: Live, notice: MembersNotice): { effects: Effect[]; announced: PeerId[] } {
  const nameOf = (peer: PeerId) =>
    [...notice.members, ...before.members].find((member) => member.peer === peer && member.name !== null)?.name ??
    undefined;
  const effects: Effect[] = [];
  let reloads = notice.removed.filter(({ reason }) => reason === 'replaced').length;
  const announced = notice.members.map(({ peer }) => peer).filter((peer) => before.announced.includes(peer));
  for (const { peer, name, self } of notice.members) {
    if (self || announced.includes(peer)) continue;
    const isNew = !before.members.some((member) => member.peer === peer);
    // Somebody who only reloaded the page did not come.
    if (isNew && reloads > 0) {
      reloads--;
      announced.push(peer);
    } else if (name !== null) {
      announced.push(peer);
      effects.push({ type: 'notice', key: 'joined', name, tone: 'info' });
    }
  }
  const keys = { leave: 'left', host: 'removedByHost', lost: 'lost' } as const;
  for (const { peer, name, reason, by } of notice.removed) {
    if (reason === 'replaced') continue;
    const who = name ?? nameOf(peer);
    const said = nameOf(by);
    effects.push({
      type: 'notice',
      key: keys[reason],
      ...(who === undefined ? {} : { name: who }),
      ...(said === undefined || reason === 'leave' ? {} : { by: said }),
      tone: reason === 'leave' ? 'info' : 'warning',
    });
  }
  return { effects, announced };
}

/** A member's word about itself; only of those who are in. */
export function listen(
  live: Live,
  { from, kind, body }: { from: PeerId; kind: MessageKind; body: string },
  now: number,
): { live: Live; told: Effect[] } {
  const member = live.members.find(({ peer }) => peer === from);
  if (!member) return { live, told: [] };
  const tell = (key: 'screenStarted' | 'handRaised'): Effect[] => [
    { type: 'notice', key, ...(member.name ? { name: member.name } : {}), tone: 'info' },
  ];
  if (kind === 'media.state') {
    const state = parsed(MediaStateBody, body);
    if (!state) return { live, told: [] };
    // A screen that was there before us is no news.
    const started = state.screen && live.media[from]?.screen === false;
    return { live: { ...live, media: { ...live.media, [from]: state } }, told: started ? tell('screenStarted') : [] };
  }
  if (kind === 'hand') {
    const hand = parsed(HandBody, body);
    if (!hand) return { live, told: [] };
    const others = live.hands.filter((peer) => peer !== from);
    const isNew = hand.raised && !live.hands.includes(from);
    // Who repeats it keeps the place in the order of hands.
    if (hand.raised && !isNew) return { live, told: [] };
    return {
      live: { ...live, hands: hand.raised ? [...others, from] : others },
      told: isNew ? tell('handRaised') : [],
    };
  }
  if (kind === 'speaking') {
    const speaking = parsed(SpeakingBody, body);
    if (!speaking) return { live, told: [] };
    const { [from]: _before, ...others } = live.speaking;
    return { live: { ...live, speaking: speaking.on ? { ...others, [from]: now } : others }, told: [] };
  }
  return { live, told: [] };
}

function parsed<T extends z.ZodMiniType>(schema: T, body: string): z.infer<T> | null {
  try {
    const result = schema.safeParse(JSON.parse(body));
    return result.success ? result.data : null;
  } catch {
    return null;
  }
}

export function movePath(live: Live, peer: PeerId, path: PathState): Live {
  return { ...live, paths: { ...live.paths, [peer]: path } };
}
