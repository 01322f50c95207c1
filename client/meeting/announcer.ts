/**
 * Tells the others, sealed, what is to be known of us: which tracks are on, a raised hand, and in a crowd that we speak.
 *
 * Each newcomer is told, everybody is told what changes, and all of it is said again every few seconds: a message that a server held
 * back or bent is mended by the next. Loaded when somebody joins.
 */
import type { PeerId } from '../../signal/protocol/ids.ts';
import { Paced } from './paced.ts';
import type { MediaState } from './state.ts';

export interface Own {
  media: MediaState;
  handRaised: boolean;
  /** False also where nobody needs to be told. */
  speaking: boolean;
  /** In the meeting, ourselves included. */
  people: number;
}

export type Say = (to: PeerId | null, kind: 'media.state' | 'hand' | 'speaking', body: object) => void;

const REPEAT_MS = 4000;
/** In large meetings it takes longer: what one says, all others have to read. */
const REPEAT_MS_PER_PERSON = 200;
/** Speech has pauses: not each is news. */
const SPEAKING_PAUSE_MS = 500;

export class Announcer {
  readonly #own: () => Own | null;
  readonly #say: Say;
  readonly #speaking: Paced<boolean>;
  readonly #repeat = setInterval(() => this.#repeatAll(), REPEAT_MS);
  /** Since all was said again. */
  #turns = 0;
  #media = '';
  /** A hand was up at some time: that it is down again has to be heard, too. */
  #hand: boolean | null = null;

  /** @param own  what is to be known by now; null while there is nobody to hear it */
  constructor(own: () => Own | null, say: Say) {
    this.#own = own;
    this.#say = say;
    this.#speaking = new Paced(false, SPEAKING_PAUSE_MS, (on) => say(null, 'speaking', { on }));
    this.update();
  }

  /** They are here now. */
  greet(peers: readonly PeerId[]): void {
    const own = this.#own();
    if (!own) return;
    for (const peer of peers) {
      this.#say(peer, 'media.state', own.media);
      if (own.handRaised) this.#say(peer, 'hand', { raised: true });
    }
  }

  /** Something may be otherwise now: what is, is told. */
  update(): void {
    const own = this.#own();
    if (!own) return;
    const media = JSON.stringify(own.media);
    if (media !== this.#media) this.#say(null, 'media.state', own.media);
    this.#media = media;
    if (own.handRaised !== (this.#hand ?? false)) this.#say(null, 'hand', { raised: (this.#hand = own.handRaised) });
    this.#speaking.say(own.speaking);
  }

  /** Idempotent. */
  close(): void {
    clearInterval(this.#repeat);
    this.#speaking.close();
  }

  #repeatAll(): void {
    const own = this.#own();
    // Few speak at a time, and whoever stopped is to be seen as silent soon: that is said again at the same pace for any number.
    if (own && !this.#speaking.isInitial) this.#say(null, 'speaking', { on: true });
    this.#turns++;
    if (this.#turns * REPEAT_MS < (own?.people ?? 0) * REPEAT_MS_PER_PERSON) return this.update();
    this.#turns = 0;
    this.#media = '';
    if (own && this.#hand !== null) this.#say(null, 'hand', { raised: this.#hand });
    this.update();
  }
}
