/**
 * What one connection wants to tell its peer, on its way out.
 *
 * A description waits a moment for its first candidates and takes them along: each message is sealed and signed by itself, and one is
 * cheaper than eight. To a peer that is only expected nothing goes out before it is a member; its description gathers meanwhile.
 */
import type { SignalData } from './signals.ts';

/** Candidates of this machine's own addresses come within this; those by way of a STUN server follow by themselves. */
const GATHER_MS = 20;

export class Outbox {
  readonly #pc: RTCPeerConnection;
  readonly #send: (data: SignalData) => void;
  #open: boolean;
  /** A description that waits. */
  #waiting = false;
  #ripe = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #gathered = () => {
    if (this.#pc.iceGatheringState === 'complete') this.#ripen();
  };

  constructor(pc: RTCPeerConnection, open: boolean, send: (data: SignalData) => void) {
    this.#pc = pc;
    this.#open = open;
    this.#send = send;
    pc.addEventListener('icegatheringstatechange', this.#gathered);
  }

  push(data: SignalData): void {
    if (data.type === 'offer' || data.type === 'answer') {
      this.#waiting = true;
      this.#ripe = false;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#ripen(), GATHER_MS);
      // ICE has all it can have: nothing to wait for.
      this.#gathered();
    } else if (data.type === 'candidate' && this.#waiting) {
      return; // it is in the description by the time that goes
    } else if (this.#open) this.#send(data);
  }

  /** The peer is a member now. */
  open(): void {
    this.#open = true;
    if (this.#ripe) this.#ripen();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#waiting = false;
    this.#pc.removeEventListener('icegatheringstatechange', this.#gathered);
  }

  #ripen(): void {
    if (!this.#waiting) return;
    this.#ripe = true;
    const description = this.#pc.localDescription;
    if (!this.#open || !description || (description.type !== 'offer' && description.type !== 'answer')) return;
    clearTimeout(this.#timer);
    this.#waiting = false;
    this.#send({ type: description.type, sdp: description.sdp });
  }
}
