/** What a page sends and gets over data channels, and which of its connections carry nothing else: those of the chat's direct way. */
import type { Person } from './person.ts';

interface Channels {
  /** What was sent, as text of one character for each byte. */
  sent: string[];
  /** When something came, milliseconds since 1970. */
  cameAt: number[];
}

declare global {
  var parleyChannels: Channels;
}

function installWatch(): void {
  const channels: Channels = { sent: [], cameAt: [] };
  globalThis.parleyChannels = channels;
  const textOf = (data: unknown): string => {
    if (typeof data === 'string') return data;
    const bytes = ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      : new Uint8Array(data as ArrayBuffer);
    return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  };
  const send = RTCDataChannel.prototype.send as (data: unknown) => void;
  RTCDataChannel.prototype.send = function (this: RTCDataChannel, data: unknown) {
    channels.sent.push(textOf(data));
    send.call(this, data);
  };
  const native = Object.getOwnPropertyDescriptor(RTCDataChannel.prototype, 'onmessage')!;
  Object.defineProperty(RTCDataChannel.prototype, 'onmessage', {
    ...native,
    set(this: RTCDataChannel, listener: ((event: MessageEvent) => void) | null) {
      native.set!.call(this, (event: MessageEvent) => {
        channels.cameAt.push(Date.now());
        listener?.call(this, event);
      });
    },
  });
}

/** Give it to `addInitScript`. */
export const channelScript = `(${installWatch.toString()})();`;

/** Connections of the direct way that are up: no transceivers, so nothing but data. */
export function directConnections({ page }: Person): Promise<number> {
  return page.evaluate(
    () =>
      parleyProbe.connections.filter((one) => one.connectionState === 'connected' && one.getTransceivers().length === 0)
        .length,
  );
}

export function sentBy({ page }: Person): Promise<string[]> {
  return page.evaluate(() => parleyChannels.sent);
}

/** How often something has come since then. */
export function cameSince({ page }: Person, since: number): Promise<number> {
  return page.evaluate((since) => parleyChannels.cameAt.filter((at) => at > since).length, since);
}
