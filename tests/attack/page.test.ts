/** What reaches the page from outside must neither swell nor stop it. */
import { describe, expect, test } from 'vitest';
import { Runner } from '../../client/meeting/effects.ts';
import type { Port } from '../../client/e2ee/port.ts';
import { restrictSdp } from '../../client/transport/sdp.ts';
import type { MeetingId } from '../../signal/protocol/ids.ts';

describe('a session description of a member', () => {
  test.each(['$`', "$'", '$&'])('does not swell by the pattern %s in its format parameters', (pattern) => {
    const filler = Array.from({ length: 40 }, (_, index) => `a=x-${index}:${'y'.repeat(200)}`).join('\r\n');
    const sdp = [
      'v=0',
      'm=audio 9 UDP/TLS/RTP/SAVPF 111',
      filler,
      'a=rtpmap:111 opus/48000/2',
      `a=fmtp:111 minptime=10;${pattern.repeat(500)}`,
      filler,
      '',
    ].join('\r\n');
    expect(restrictSdp(sdp).length).toBeLessThan(sdp.length + 1000);
  });
});

describe('an effect that fails', () => {
  test('does not stop the inputs that follow', async () => {
    const port: Port = {
      call: () => new Promise(() => undefined),
      onNotice: () => () => undefined,
      transform: () => undefined,
      onDead: () => () => undefined,
      terminate: () => undefined,
    };
    const runner = new Runner({
      meeting: 'aaaa-bbbb-cccc-dddd' as MeetingId,
      secret: 'A'.repeat(43),
      name: 'Ann',
      socketUrl: 'ws://127.0.0.1:9/ws',
      createPort: () => port,
      on: {
        changed: () => undefined,
        notice: () => undefined,
        // As history.replaceState does when it is asked too often, or RTCPeerConnection when there are too many.
        address: () => {
          throw new DOMException('too often', 'SecurityError');
        },
        know: () => undefined,
        idle: () => undefined,
      },
    });
    try {
      runner.input({ type: 'notice', notice: { type: 'invite', secret: 'B'.repeat(43), generation: 1 } });
    } catch {
      // Said aloud: as good.
    }
    runner.input({ type: 'notice', notice: { type: 'out', why: 'removed' } });
    expect(runner.state.at).toBe('closed');
    runner.destroy();
  });
});
