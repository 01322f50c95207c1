/** From the first word to a place in the meeting: hello, the two challenges, join, resume, leave. docs/design.md, "Admission". */
import { checkProof, peerIdOf, randomText } from '../../auth.ts';
import { iceServersFor } from '../../ice.ts';
import type { KnownMeeting } from '../../meeting/service.ts';
import { labels } from '../../protocol/documents.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import { PROTOCOL } from '../../protocol/requests.ts';
import type { Context, Handlers, SessionState } from '../session.ts';

type Entry = Pick<
  Handlers,
  'hello' | 'resume' | 'meeting.proveLink' | 'meeting.proveAccess' | 'meeting.join' | 'meeting.leave' | 'ping'
>;

export const entry: Entry = {
  async hello(session, { protocol, meeting }, { service, now }) {
    assertVersion(protocol);
    await service.find(meeting);
    const challenge = randomText();
    session.advance({ at: 'greeted', meeting, challenge });
    return { challenge, now: now() };
  },

  resume(session, params, { service, ice, now }) {
    assertVersion(params.protocol);
    const resumed = service.resume(params, session);
    return { ...resumed, iceServers: iceServersFor(ice, params.peer, now()), now: now() };
  },

  async 'meeting.proveLink'(session, { signature }, { service, attempts, now }) {
    const { meeting, challenge } = session.in('greeted');
    const known = await service.find(meeting);
    // Checked before anything is counted: a right link passes however often others at this address were wrong.
    if (!checkProof(labels.proveLink, { meeting, challenge }, signature, known.terms.linkKey)) {
      const retryAfterMs = attempts.linkFailed(session.address, now());
      if (retryAfterMs > 0) throw new ProtocolError('tooMany', undefined, { retryAfterMs });
      throw new ProtocolError('linkRefused');
    }
    const next = randomText();
    session.advance({ at: 'linked', meeting, generation: known.generation, challenge: next });
    return { record: known.record, challenge: next };
  },

  async 'meeting.proveAccess'(session, { signature }, { service, attempts, now }) {
    const state = session.in('linked');
    const { meeting, challenge } = state;
    const known = await findUnchanged(service, state);
    const retryAfterMs = attempts.accessWait(session.address, meeting, now());
    if (retryAfterMs > 0) throw new ProtocolError('tooMany', undefined, { retryAfterMs });
    if (!checkProof(labels.proveAccess, { meeting, challenge }, signature, known.accessKey)) {
      const wait = attempts.accessFailed(session.address, meeting, now());
      throw new ProtocolError('accessRefused', undefined, { retryAfterMs: wait });
    }
    attempts.accessProven(session.address, meeting);
    session.advance({ ...state, at: 'admitted' });
    return service.lobby(known);
  },

  async 'meeting.join'(session, params, { service, ice, now }) {
    const state = session.in('admitted');
    const { meeting, challenge } = state;
    const { peer, leafKey, signature } = params;
    const proof = { meeting, challenge, peer };
    if (peerIdOf(leafKey) !== peer || !checkProof(labels.provePeer, proof, signature, leafKey)) {
      throw new ProtocolError('proofRefused');
    }
    const known = await findUnchanged(service, state);
    const joined = await service.join(known, params, session);
    return { ...joined, iceServers: iceServersFor(ice, peer, now()), now: now() };
  },

  'meeting.leave'(session, _params, { service }) {
    const { meeting, peer } = session.in('joined');
    service.apply(meeting, { type: 'leave', peer });
    return {};
  },

  ping(_session, _params, { now }) {
    return { now: now() };
  },
};

/** What was proven for an older link is worth nothing any more. @throws ProtocolError linkRefused */
async function findUnchanged(
  service: Context['service'],
  { meeting, generation }: Extract<SessionState, { generation: number }>,
): Promise<KnownMeeting> {
  const known = await service.find(meeting);
  if (known.generation !== generation) throw new ProtocolError('linkRefused');
  return known;
}

function assertVersion(protocol: number): void {
  if (protocol !== PROTOCOL) throw new ProtocolError('unsupported', `this server speaks protocol ${PROTOCOL}`);
}
