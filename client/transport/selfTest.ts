/**
 * Does this browser really run frame transforms? A loopback of a black picture finds out before anybody joins.
 *
 * One end has the worker's transforms, the other none. There is no key yet, so the worker drops all that reaches it; what counts is
 * that it saw frames, in both directions. Nothing but black is at stake.
 */
import type { Notice, TransformCounts, TransformOptions } from '../e2ee/messages.ts';
import type { PeerId } from '../../signal/protocol/ids.ts';
import { createPlaceholders } from '../media/placeholder.ts';
import { preferSealable } from './codecs.ts';
import { drawTransformId, type SealPort } from './sealPort.ts';
import { readReport } from './stats.ts';
import { seenFrames } from './watchdog.ts';

/** `unknown`: no connection with itself, no verdict. The check of every sender still stands between the camera and the network. */
export type SelfTestResult = 'sealed' | 'clear' | 'unknown';

const PATIENCE_MS = 8000;
const POLL_MS = 100;
/** The worker has this long to tell of frames that went past or through it. */
const REPORT_MS = 1500;
/** Frames that got past a transform which saw none: more than any that came before it was running. */
const CLEAR_FRAMES = 3;
/** Nobody: no member has this peer id, so nothing of it would ever open. */
const NOBODY = 'selftest0000000000000A' as PeerId;

export async function selfTest(port: SealPort): Promise<SelfTestResult> {
  const placeholders = createPlaceholders();
  const endLease = placeholders.lease();
  const config: RTCConfiguration & { encodedInsertableStreams?: boolean } = {
    iceServers: [],
    ...('RTCRtpScriptTransform' in globalThis ? {} : { encodedInsertableStreams: true }),
  };
  const near = new RTCPeerConnection(config);
  const far = new RTCPeerConnection();
  const counts = new Map<string, TransformCounts>();
  const off = port.onNotice((notice: Notice) => {
    if (notice.type === 'counts') for (const one of notice.counts) counts.set(one.id, one);
  });
  const send: TransformOptions = {
    id: `selfTest.${drawTransformId('camera', 'send')}`,
    side: 'send',
    kind: 'camera',
    codec: 'vp8',
    peer: NOBODY,
  };
  const receive: TransformOptions = {
    id: `selfTest.${drawTransformId('camera', 'receive')}`,
    side: 'receive',
    kind: 'camera',
    codec: 'vp8',
    peer: NOBODY,
  };
  try {
    const transceiver = near.addTransceiver(placeholders.video(), { direction: 'sendrecv' });
    port.transform(send, transceiver.sender);
    port.transform(receive, transceiver.receiver);
    preferSealable(transceiver, 'vp8');
    await connect(near, far, placeholders.video());
    const seen = ({ id }: TransformOptions) => {
      const one = counts.get(id);
      return one ? seenFrames(one) : 0;
    };
    const end = performance.now() + PATIENCE_MS;
    let suspectSince: number | null = null;
    while (performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      if (seen(send) > 0 && seen(receive) > 0) return 'sealed';
      const [nearFrames, farFrames] = await Promise.all([framesReceived(near), framesReceived(far)]);
      const passedBy =
        (farFrames >= CLEAR_FRAMES && seen(send) === 0) || (nearFrames >= CLEAR_FRAMES && seen(receive) === 0);
      if (!passedBy) suspectSince = null;
      else if (performance.now() - (suspectSince ??= performance.now()) > REPORT_MS) {
        // A starved worker reports late: it owes an answer to this first.
        await port.call('ping', {});
        if (seen(send) === 0 || seen(receive) === 0) return 'clear';
      }
    }
    return 'unknown';
  } catch {
    return 'unknown';
  } finally {
    off();
    near.close();
    far.close();
    endLease();
    placeholders.close();
    for (const { id } of [send, receive]) port.call('transform.end', { id }).catch(() => undefined);
  }
}

async function connect(near: RTCPeerConnection, far: RTCPeerConnection, black: MediaStreamTrack): Promise<void> {
  near.onicecandidate = ({ candidate }) => void far.addIceCandidate(candidate ?? undefined).catch(() => undefined);
  far.onicecandidate = ({ candidate }) => void near.addIceCandidate(candidate ?? undefined).catch(() => undefined);
  await near.setLocalDescription();
  await far.setRemoteDescription(near.localDescription!);
  const [answering] = far.getTransceivers();
  if (answering) {
    answering.direction = 'sendrecv';
    await answering.sender.replaceTrack(black);
  }
  await far.setLocalDescription();
  await near.setRemoteDescription(far.localDescription!);
}

async function framesReceived(connection: RTCPeerConnection): Promise<number> {
  const { sections } = readReport(await connection.getStats());
  return [...sections.values()].reduce((sum, section) => sum + (section.assembledFrames ?? 0), 0);
}
