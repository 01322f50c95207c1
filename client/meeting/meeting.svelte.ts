/**
 * The meeting as the screens see it: one snapshot, replaced whole, and the person's intents.
 */
import type { MeetingId, PeerId } from '../../signal/protocol/ids.ts';
import type { DevicesFacade, MeetingFacade, MeetingView, NoticeView } from './view.ts';

export interface MeetingOptions {
  meeting: MeetingId;
  /** The invite secret of the link's fragment; null where only the id is known. */
  secret: string | null;
  devices: DevicesFacade;
}

class Meeting implements MeetingFacade {
  #view = $state.raw<MeetingView>({ at: 'opening', slow: false });
  #notices = $state.raw<readonly NoticeView[]>([]);
  name = $state('');
  constructor(_options: MeetingOptions) {}
  get view(): MeetingView {
    return this.#view;
  }
  get notices(): readonly NoticeView[] {
    return this.#notices;
  }
  submitPassword(_password: string): void {}
  join(): void {}
  toggleMicrophone(): void {}
  toggleCamera(): void {}
  toggleScreen(): void {}
  toggleHand(): void {}
  holdToTalk(_down: boolean): void {}
  leave(): void {}
  rejoin(): void {}
  goOn(): void {}
  resumePlayback(): void {}
  removePeer(_peer: PeerId): void {}
  setLocked(_locked: boolean): void {}
  endForAll(): void {}
  dismiss(_notice: number): void {}
  destroy(): void {}
}

/** Opens a meeting: starts the worker, the socket and the lobby. `destroy` it when the screen goes. */
export function createMeetingFacade(options: MeetingOptions): MeetingFacade {
  return new Meeting(options);
}
