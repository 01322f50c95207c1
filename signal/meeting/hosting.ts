/** What hosts sign and the server obeys: meetings made, states, generations, removals, ends. Nothing of it works without the host key. */
import type * as z from 'zod/mini';
import { meetingIdOf, openSigned } from '../auth.ts';
import { HostCommand, HostState, labels, type Signed, type SignedTerms } from '../protocol/documents.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { MeetingId, PeerId } from '../protocol/ids.ts';
import { ENDED_TOPIC, type KnownMeeting, openTerms, type MeetingService } from './service.ts';

/**
 * Makes a meeting. The same record again, after a lost answer, is no mistake.
 * @throws ProtocolError badRequest · proofRefused · meetingExists · meetingEnded
 */
export async function createMeeting(service: MeetingService, given: SignedTerms): Promise<MeetingId> {
  const terms = openTerms(given);
  if (terms.generation !== 0) throw new ProtocolError('badRequest', 'a meeting begins with generation 0');
  const meeting = meetingIdOf(terms.hostKey);
  const created = await service.terms.store.meetings.create(meeting, given, service.terms.now());
  if (created === 'taken') throw new ProtocolError('meetingExists');
  if (created === 'same') await service.find(meeting);
  return meeting;
}

/** @throws ProtocolError notAllowed · badRequest: not newer */
export async function setHostState(
  service: MeetingService,
  meeting: MeetingId,
  by: PeerId,
  state: Signed,
): Promise<void> {
  const { opened, known } = await openAsHost(service, meeting, labels.hostState, state, HostState);
  const taken = await service.terms.store.meetings.saveHostState(meeting, opened.version, state);
  // The same again, after a lost answer, is no mistake: what it orders may not have been done.
  const isKnown = known.hostState?.signed.body === state.body;
  if (!taken && !isKnown) throw new ProtocolError('badRequest', 'there is a newer host state');
  if (taken) service.tell(meeting, { type: 'hostState', by, state, locked: opened.locked });
  if (opened.cleared) await service.chat.clear(meeting, opened.cleared);
}

/** @throws ProtocolError notAllowed · proofRefused · badRequest: not the next generation */
export async function rotate(
  service: MeetingService,
  meeting: MeetingId,
  by: PeerId,
  given: SignedTerms,
): Promise<void> {
  const take = openRotation(service, meeting, by, given);
  const tell = await take();
  if (tell === null) throw new ProtocolError('badRequest', 'not the generation that follows');
  tell();
}

/**
 * Checks the terms of another generation.
 * @returns takes them into the store, and gives what tells the room; null where it is not the generation that follows
 * @throws ProtocolError notAllowed · proofRefused · badRequest
 */
export function openRotation(
  service: MeetingService,
  meeting: MeetingId,
  by: PeerId,
  given: SignedTerms,
): () => Promise<(() => void) | null> {
  const terms = openTerms(given);
  if (meetingIdOf(terms.hostKey) !== meeting) throw new ProtocolError('notAllowed');
  const { generation, settings } = terms;
  // Nothing but the terms: what else came with them is for others.
  const { record, access } = given;
  return async () => {
    if (!(await service.terms.store.meetings.rotate(meeting, generation, { record, access }))) return null;
    service.chat.rotated(meeting, generation);
    return () =>
      service.tell(meeting, { type: 'rotated', by, record, generation, capacity: service.placesFor(settings) });
  };
}

/** @throws ProtocolError notAllowed · badRequest: the sequence was used · peerUnknown */
export async function command(service: MeetingService, meeting: MeetingId, signed: Signed): Promise<void> {
  const { store, bus } = service.terms;
  const { opened: order } = await openAsHost(service, meeting, labels.hostCommand, signed, HostCommand);
  if (!(await store.meetings.takeSequence(meeting, order.sequence))) {
    throw new ProtocolError('badRequest', 'this sequence was used, or a later one');
  }
  switch (order.action) {
    case 'remove':
      service.apply(meeting, { type: 'remove', peer: order.peer });
      return;
    case 'end':
      await store.meetings.end(meeting, signed);
      service.tell(meeting, { type: 'end', command: signed });
      await service.chat.ended();
      await bus.publish(ENDED_TOPIC, meeting);
  }
}

/** Opens what only the host of this very meeting may sign. */
async function openAsHost<T extends { meeting: MeetingId }>(
  service: MeetingService,
  meeting: MeetingId,
  label: string,
  signed: Signed,
  schema: z.ZodMiniType<T>,
): Promise<{ opened: T; known: KnownMeeting }> {
  const known = await service.find(meeting);
  const opened = openSigned(label, signed, known.terms.hostKey, schema);
  if (!opened || opened.meeting !== meeting) throw new ProtocolError('notAllowed');
  return { opened, known };
}
