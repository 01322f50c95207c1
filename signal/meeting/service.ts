/**
 * All meetings of this process: loads a room when somebody comes, lets go of it when everybody has left, and keeps its clock.
 *
 * The store is asked at every proof, never a cache: a link that was replaced must open nothing, whichever process replaced it.
 */
import { meetingIdOf, openSigned, parseBody, randomText, sameToken } from '../auth.ts';
import { BlobService } from '../blobs/service.ts';
import type { Blobs } from '../blobs/blobs.ts';
import type { Bus } from '../bus/bus.ts';
import { ChatService, type MeetingOfChat } from '../chat/service.ts';
import { AccessDocument, DEFAULT_CHAT_TERMS, HostState, labels, MeetingRecord } from '../protocol/documents.ts';
import type { Settings, SignedTerms } from '../protocol/documents.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { MeetingId, PeerId } from '../protocol/ids.ts';
import type { Lobby } from '../protocol/model.ts';
import type { RelayPort } from '../protocol/relayControl.ts';
import type { Params, Result } from '../protocol/requests.ts';
import type { Store, StoredMeeting } from '../store/store.ts';
import { groupRef, newGroup } from './epochs.ts';
import { Live, type Line } from './live.ts';
import { Budget } from './outbox.ts';
import { Relaying } from './relaying.ts';
import { emptyRoom, roster } from './room.ts';
import type { Input } from './roomTypes.ts';

/** After a start, members of a group that was alive are expected back this long. */
const EXPECTED_MS = 30_000;
/** Groups whose members never came back. */
const FORSAKEN_MS = 86_400_000;
/** Use of a meeting is noted this precisely. */
const TOUCH_MS = 3_600_000;

/** Topic: its messages are ids of meetings that a host has ended. */
export const ENDED_TOPIC = 'meeting.ended';

export interface ServiceTerms {
  readonly store: Store;
  readonly bus: Bus;
  readonly meetingTtlMs: number;
  /** Most people that a meeting may be for. */
  readonly maxCapacity: number;
  /** Most bytes of one meeting's chat. */
  readonly chatQuota: number;
  /** Where sealed files lie. */
  readonly blobs: Blobs;
  /** Most bytes of one meeting's files. */
  readonly filesQuota: number;
  /** Null: none is configured. */
  readonly relay: RelayPort | null;
  /** How long a meeting is small enough before it goes back from the relay to the mesh; undefined: as topology.ts says. */
  readonly calmMs?: number | undefined;
  readonly now: () => number;
  readonly onError: (error: unknown, meeting?: MeetingId) => void;
}

/** A meeting as stored, with its record read. */
export interface KnownMeeting extends StoredMeeting {
  readonly terms: MeetingRecord;
  /** Checks proofs of link and password; base64url. */
  readonly accessKey: string;
}

export class MeetingService {
  readonly terms: ServiceTerms;
  readonly #rooms = new Map<MeetingId, Live>();
  readonly #loading = new Map<MeetingId, Promise<Live>>();
  readonly #startedAt: number;
  readonly #budget = new Budget();
  readonly relaying: Relaying;
  readonly chat: ChatService;
  readonly blobs: BlobService;
  #isDraining = false;

  constructor(terms: ServiceTerms) {
    this.terms = terms;
    this.#startedAt = terms.now();
    const find = (meeting: MeetingId) => this.#rooms.get(meeting);
    const apply = (meeting: MeetingId, input: Input) => this.tell(meeting, input);
    this.relaying = new Relaying(terms.relay, { find, apply }, terms.onError);
    const { store, chatQuota: quota, now, onError } = terms;
    this.blobs = new BlobService({ store: store.blobs, blobs: terms.blobs, quota: terms.filesQuota, now });
    const { blobs } = this;
    const findChat = async (meeting: MeetingId) => chatOf(await this.find(meeting));
    this.chat = new ChatService({ store, blobs, quota, find: findChat, now, onError });
  }

  /** @throws ProtocolError meetingNotFound · meetingEnded */
  async find(meeting: MeetingId): Promise<KnownMeeting> {
    const stored = await this.terms.store.meetings.find(meeting);
    if (!stored) throw new ProtocolError('meetingNotFound');
    if (stored.ended) throw new ProtocolError('meetingEnded');
    const terms = parseBody(stored.record, MeetingRecord);
    const access = parseBody(stored.access, AccessDocument);
    if (!terms || !access) throw new Error('a stored record does not fit its schema');
    return { ...stored, terms, accessKey: access.accessKey };
  }

  /** Who is there, for somebody who has proven link and password. */
  lobby(known: KnownMeeting): Lobby {
    const room = this.#rooms.get(known.meeting)?.room;
    return {
      peers: room ? roster(room, null) : [],
      group: room ? groupRef(room) : null,
      hostState: known.hostState?.signed ?? null,
    };
  }

  /** Somebody uses it. */
  async noteUse({ meeting, usedAt }: KnownMeeting): Promise<void> {
    const { now, store } = this.terms;
    if (usedAt < now() - TOUCH_MS) await store.meetings.touch(meeting, now());
  }

  /** @param params.peer is the hash of `leafKey`, which has proven itself */
  async join(
    known: KnownMeeting,
    params: Pick<Params<'meeting.join'>, 'peer' | 'leafKey' | 'name' | 'member'>,
    line: Line,
  ): Promise<Omit<Result<'meeting.join'>, 'iceServers' | 'now'>> {
    await this.noteUse(known);
    const live = await this.#open(known);
    // No place for a connection that ended meanwhile: nobody would ever free it.
    if (!line.isOpen) throw new ProtocolError('outOfOrder');
    const { peer, leafKey, name, member } = params;
    live.apply({ type: 'join', peer, generation: known.generation, name, member: member?.id ?? null });
    const token = randomText();
    live.place(peer, leafKey, token, line);
    return { token, ...this.#view(live, peer), hostState: known.hostState?.signed ?? null };
  }

  /**
   * Takes up a lost connection. Missed events are sent over `line`.
   * @throws ProtocolError removed · resumeRefused: the peer must join again
   */
  resume(params: Pick<Params<'resume'>, 'meeting' | 'peer' | 'token' | 'received'>, line: Line) {
    const live = this.#rooms.get(params.meeting);
    if (live?.room.removed.has(params.peer)) throw new ProtocolError('removed');
    const seat = live?.seat(params.peer);
    if (!live || !seat || !sameToken(seat.token, params.token)) throw new ProtocolError('resumeRefused');
    const before = seat.line;
    seat.line = null;
    before?.close('replaced');
    const missed = seat.outbox.since(params.received);
    if (!missed) {
      live.apply({ type: 'away', peer: params.peer });
      throw new ProtocolError('resumeRefused');
    }
    for (const text of missed) line.send(text);
    seat.line = line;
    line.seated(params.meeting, params.peer);
    live.apply({ type: 'back', peer: params.peer });
    return this.#view(live, params.peer);
  }

  /** A connection ended. Its peer's place is kept for a while. */
  lost(meeting: MeetingId, peer: PeerId, line: Line): void {
    const live = this.#rooms.get(meeting);
    const seat = live?.seat(peer);
    if (this.#isDraining || !live || seat?.line !== line) return;
    seat.line = null;
    live.apply({ type: 'away', peer });
  }

  /** Something that a joined peer does. @throws ProtocolError as the room refuses */
  apply(meeting: MeetingId, input: Input): Live {
    const live = this.live(meeting);
    live.apply(input);
    return live;
  }

  /** @throws ProtocolError resumeRefused if nobody is there, so that whoever asks cannot be either */
  live(meeting: MeetingId): Live {
    const live = this.#rooms.get(meeting);
    if (!live) throw new ProtocolError('resumeRefused');
    return live;
  }

  /** What the room of a meeting may hear of a host, if there is a room. */
  tell(meeting: MeetingId, input: Input): void {
    this.#rooms.get(meeting)?.apply(input);
  }

  /** Call it every second or so. */
  tick(): void {
    const now = this.terms.now();
    const available = this.relaying.isReady;
    for (const [meeting, live] of this.#rooms) {
      if (live.dueAt <= now && !this.#isDraining) live.apply({ type: 'tick' });
      if (live.room.hasRelay !== available) live.apply({ type: 'relay', available });
      if (!live.isIdle) continue;
      this.#rooms.delete(meeting);
      this.relaying.closeRoom(meeting);
      this.chat.emptied(meeting).catch((error: unknown) => this.terms.onError(error, meeting));
    }
    this.chat.tick();
  }

  /** Lets go of events that nobody can ask for any more. */
  forgetOldEvents(): void {
    const now = this.terms.now();
    for (const live of this.#rooms.values()) {
      for (const { line, outbox } of live.seats) if (line) outbox.forgetOld(now);
    }
  }

  /** Forgets what nobody uses. @returns how many meetings */
  async sweep(): Promise<number> {
    const { store, meetingTtlMs, now } = this.terms;
    for (const meeting of this.#rooms.keys()) await store.meetings.touch(meeting, now());
    await store.groups.sweep(now() - FORSAKEN_MS, new Set(this.#rooms.keys()));
    const swept = await store.meetings.sweep(now() - meetingTtlMs);
    await this.chat.sweep((meeting) => this.#rooms.has(meeting));
    return swept;
  }

  /**
   * Tells everybody to connect again. From here on lost connections are no news: members are expected back at the next process.
   * @param retryMs  drawn for each peer, so that they do not all come at once
   */
  drain(retryMs: () => number): void {
    this.#isDraining = true;
    for (const live of this.#rooms.values()) live.announce(() => ({ type: 'server.draining', retryMs: retryMs() }));
  }

  /** How many meetings have somebody in them. */
  get size(): number {
    return this.#rooms.size;
  }

  #view(live: Live, peer: PeerId) {
    const { room } = live;
    return { group: groupRef(room), peers: roster(room, peer), topology: room.topology };
  }

  async #open(known: KnownMeeting): Promise<Live> {
    for (;;) {
      const present = this.#rooms.get(known.meeting);
      if (present) return present;
      // Two who come at once must find the same room, and it may be gone again by the time they look.
      const loading = this.#loading.get(known.meeting) ?? this.#load(known);
      this.#loading.set(known.meeting, loading);
      try {
        await loading;
      } finally {
        this.#loading.delete(known.meeting);
      }
    }
  }

  /** How many a meeting has room for here: what its host has signed, and no more than the operator allows. */
  placesFor({ capacity }: Settings): number {
    return Math.min(capacity, this.terms.maxCapacity);
  }

  async #load({ meeting, generation, terms, hostState }: KnownMeeting): Promise<Live> {
    const stored = await this.terms.store.groups.find(meeting);
    const leaves = new Map(stored?.members.map(({ peer, leaf }) => [peer, leaf]));
    const group = stored && newGroup(stored.id, leaves, stored.epoch, this.#startedAt + EXPECTED_MS);
    const state = hostState && parseBody(hostState.signed, HostState);
    const room = emptyRoom(
      meeting,
      {
        generation,
        ...terms.settings,
        capacity: this.placesFor(terms.settings),
        locked: state?.locked ?? false,
        hasRelay: this.relaying.isReady,
        calmMs: this.terms.calmMs,
      },
      group,
      // Higher than any that a process before this one has told.
      Math.floor(this.terms.now() / 1000),
    );
    const { store, now, onError } = this.terms;
    const live = new Live(room, { store, now, onError, budget: this.#budget, media: this.relaying });
    this.#rooms.set(meeting, live);
    return live;
  }
}

/** What the hosts have decided of the chat, else what the record says. */
function chatOf({ generation, hostState, terms }: KnownMeeting): MeetingOfChat {
  const state = hostState && parseBody(hostState.signed, HostState);
  const { keepDays } = state?.chat ?? terms.settings.chat ?? DEFAULT_CHAT_TERMS;
  return { generation, keepDays, state: hostState?.signed ?? null, cleared: state?.cleared ?? null };
}

/** Reads a generation's record, and checks that its access key is of the same host, meeting and generation. @throws ProtocolError proofRefused · badRequest */
export function openTerms({ record, access }: SignedTerms): MeetingRecord {
  const claimed = parseBody(record, MeetingRecord);
  if (!claimed) throw new ProtocolError('badRequest', 'the record does not fit its schema');
  const opened = openSigned(labels.record, record, claimed.hostKey, MeetingRecord);
  const key = openSigned(labels.access, access, claimed.hostKey, AccessDocument);
  if (!opened || !key) throw new ProtocolError('proofRefused');
  if (key.meeting !== meetingIdOf(opened.hostKey) || key.generation !== opened.generation) {
    throw new ProtocolError('badRequest', 'the access key is of another meeting or generation');
  }
  return opened;
}
