/**
 * What page, worker and server say to each other on the way into a meeting. Each function is one stretch of that way; the machine
 * decides when it is walked. The page carries challenges to the worker and signatures back, and can make neither.
 */
import type { ChatTerms, MeetingRecord } from '../../signal/protocol/documents.ts';
import type { MeetingId, PeerId } from '../../signal/protocol/ids.ts';
import type { Params, Result } from '../../signal/protocol/requests.ts';
import { PROTOCOL } from '../../signal/protocol/requests.ts';
import { ProtocolError } from '../../signal/protocol/errors.ts';
import { OfflineError } from '../net/offline.ts';
import type { Rpc } from '../net/rpc.ts';
import type { SealPort } from '../transport/sealPort.ts';
import type { Failure } from './state.ts';

export interface Parties {
  meeting: MeetingId;
  rpc: Rpc;
  port: SealPort;
}

export interface Opened {
  title: string;
  needsPassword: boolean;
  /** What the host has signed. */
  record: MeetingRecord;
  /** For the access key and the leaf key; good for this connection. */
  challenge: string;
}

/** What a join was made of: said again to a server that forgot us. */
export type JoinWords = Omit<Params<'meeting.join'>, 'signature' | 'member'>;

/** hello, the proof of the link, and the record that only this meeting's host can have signed. */
export async function open({ meeting, rpc, port }: Parties): Promise<Opened> {
  const { challenge } = await rpc.request('hello', { protocol: PROTOCOL, meeting });
  const { signature } = await port.call('invite.proveLink', { challenge });
  const proven = await rpc.request('meeting.proveLink', { signature });
  const { title, needsPassword, record } = await port.call('invite.acceptRecord', { record: proven.record });
  return { title, needsPassword, record, challenge: proven.challenge };
}

/** @param password  null where there is none, or where the worker has kept what it turned into */
export async function prove(
  { rpc, port }: Parties,
  challenge: string,
  password: string | null,
): Promise<{ names: (string | null)[]; chat: ChatTerms | null }> {
  const { signature } = await port.call('invite.proveAccess', { challenge, password });
  const { peers, hostState } = await rpc.request('meeting.proveAccess', { signature });
  return port.call('lobby.open', { peers, hostState });
}

/** A fresh leaf, proven for this connection's challenge. Made ahead of the click where that is possible: it takes a moment. */
export function prepare(
  { port }: Parties,
  given: { name: string; challenge: string; replaces: PeerId | null },
): Promise<Prepared> {
  return port.call('peer.prepare', given);
}
export type Prepared = JoinWords & { signature: string };

/** With a fresh leaf into the meeting. From the answer on the worker drives the group. */
export async function join({ rpc, port }: Parties, prepared: Prepared): Promise<Result<'meeting.join'>> {
  rpc.forgetEvents();
  const joined = await rpc.request('meeting.join', prepared);
  // In this very task: the events that follow the answer are for a group that has begun.
  void port
    .call('group.begin', { group: joined.group, hostState: joined.hostState, now: joined.now })
    .catch(() => undefined);
  return joined;
}

/** The same leaf, to a server that does not know it any more: keys and media stay. */
export async function joinAgain(
  { rpc, port }: Parties,
  challenge: string,
  words: JoinWords,
): Promise<Result<'meeting.join'>> {
  const { signature, member } = await port.call('peer.proveAgain', { challenge });
  rpc.forgetEvents();
  const joined = await rpc.request('meeting.join', { ...words, signature, ...(member ? { member } : {}) });
  void port.call('group.resumed', { group: joined.group }).catch(() => undefined);
  return joined;
}

/** Takes the lost connection up; missed events follow by themselves. */
export async function resume({ meeting, rpc, port }: Parties, peer: PeerId, token: string): Promise<Result<'resume'>> {
  const resumed = await rpc.request('resume', {
    protocol: PROTOCOL,
    meeting,
    peer,
    token,
    received: rpc.received,
  });
  void port.call('group.resumed', { group: resumed.group }).catch(() => undefined);
  return resumed;
}

/** What a thrown error was, for the machine. */
export function failureOf(error: unknown): Failure {
  if (error instanceof OfflineError) return { from: 'network' };
  if (error instanceof ProtocolError)
    return { from: 'server', code: error.code, retryAfterMs: error.retryAfterMs ?? null };
  // By its name: the class lives beside the worker's address, which only a bundler can resolve.
  if (error instanceof Error && error.name === 'CallError')
    return { from: 'worker', code: (error as Error & { code: never }).code };
  return { from: 'worker', code: 'internal' };
}
