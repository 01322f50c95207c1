/** The sealed chat: for peers, and for whoever has proven link and password and is not in the meeting. */
import { ProtocolError } from '../../protocol/errors.ts';
import type { MeetingId } from '../../protocol/ids.ts';
import type { Context, Handlers, Session } from '../session.ts';

type Chat = Pick<
  Handlers,
  | 'chat.open'
  | 'chat.read'
  | 'chat.part'
  | 'chat.append'
  | 'chat.erase'
  | 'chat.whisper'
  | 'chat.offer'
  | 'chat.offerPart'
  | 'chat.confirm'
  | 'chat.ticket'
  | 'chat.pass'
  | 'chat.close'
>;

export const chat: Chat = {
  async 'chat.open'(session, { after }, { service }) {
    const meeting = meetingOf(session);
    // A meeting whose people only write is used, too.
    await service.noteUse(await service.find(meeting));
    return service.chat.open(session, meeting, after);
  },
  'chat.read': (session, { after }, { service }) => service.chat.read(session, meetingOf(session), after),
  'chat.part': (session, params, { service }) => service.chat.part(session, meetingOf(session), params),
  'chat.append'(session, params, { service }) {
    spread(session, service, params.body);
    return service.chat.append(session, meetingOf(session), params);
  },
  async 'chat.erase'(session, params, { service }) {
    await service.chat.erase(session, meetingOf(session), params);
    return {};
  },
  'chat.whisper'(session, { body }, { service }) {
    spread(session, service, body);
    service.chat.whisper(session, meetingOf(session), body);
    return {};
  },
  async 'chat.offer'(session, params, { service }) {
    await service.chat.offer(session, meetingOf(session), params);
    return {};
  },
  async 'chat.offerPart'(session, params, { service }) {
    await service.chat.offerPart(session, meetingOf(session), params);
    return {};
  },
  async 'chat.confirm'(session, params, { service }) {
    await service.chat.confirm(session, meetingOf(session), params);
    return {};
  },
  'chat.ticket': (session, _params, { service }) => service.chat.ticket(session, meetingOf(session)),
  'chat.pass': (session, _params, { service }) => service.chat.pass(session, meetingOf(session)),
  'chat.close'(session, _params, { service }) {
    service.chat.leave(session);
    return {};
  },
};

function meetingOf({ meeting }: Session): MeetingId {
  if (meeting === null) throw new ProtocolError('outOfOrder');
  return meeting;
}

function spread(session: Session, service: Context['service'], body: string): void {
  session.spread(body.length * service.chat.besides(session));
}
