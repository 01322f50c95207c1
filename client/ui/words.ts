/** States and news of a meeting in words of the catalogue. One switch per union, so that a new case asks for its words. */
import type { LiveView, NoticeView, TileState } from '../meeting/view.ts';
import { m } from '../paraglide/messages.js';
import { elapsed } from './time.ts';

/** A tile's state; null where all is well and nothing needs to be said on the picture. */
export function tileStateWords(state: TileState, now: number): string | null {
  switch (state.at) {
    case 'joining':
      return m.tile_joining();
    case 'connecting':
      return m.tile_connecting();
    case 'securing':
      return m.tile_securing();
    case 'connected':
      return null;
    case 'poor':
      return m.tile_poor();
    case 'reconnecting':
      return now - state.since < 1_000
        ? m.tile_reconnecting()
        : m.tile_reconnecting_for({ time: elapsed(now - state.since) });
    case 'frozen':
      return now - state.since < 1_000 ? m.tile_frozen() : m.tile_frozen_for({ time: elapsed(now - state.since) });
    case 'unsafe':
      return m.tile_unsafe();
  }
}

export function unsafeWords(detail: (TileState & { at: 'unsafe' })['detail']): string {
  switch (detail) {
    case 'clearFrames':
      return m.tile_unsafe_clearFrames();
    case 'nothingOpened':
      return m.tile_unsafe_nothingOpened();
    case 'workerLost':
      return m.tile_unsafe_workerLost();
  }
}

export function noticeWords(notice: NoticeView): string {
  const name = notice.name ?? m.notice_somebody();
  const by = notice.by ?? m.notice_somebody();
  switch (notice.key) {
    case 'joined':
      return m.notice_joined({ name });
    case 'left':
      return m.notice_left({ name });
    case 'removedByHost':
      return m.notice_removedByHost({ name, by });
    case 'lost':
      return m.notice_lost({ name, by });
    case 'linkChanged':
      return m.notice_linkChanged();
    case 'locked':
      return m.notice_locked();
    case 'unlocked':
      return m.notice_unlocked();
    case 'screenStarted':
      return m.notice_screenStarted({ name });
    case 'handRaised':
      return m.notice_handRaised({ name });
    case 'split':
      return m.notice_split();
    case 'withheld':
      return m.notice_withheld();
    case 'unreadable':
      return m.notice_unreadable({ name });
    case 'letIn':
      return m.notice_letIn({ name });
    case 'forged':
      return m.notice_forged();
    case 'commitRefused':
      return m.notice_commitRefused();
    case 'deviceLost':
      return notice.device === 'camera' ? m.notice_deviceLost_camera() : m.notice_deviceLost_microphone();
    case 'deviceSwitched':
      return notice.device === 'camera' ? m.notice_deviceSwitched_camera() : m.notice_deviceSwitched_microphone();
    case 'serverBack':
      return m.notice_serverBack();
    case 'shareFailed':
      return m.notice_shareFailed();
    case 'removeFailed':
      return m.notice_removeFailed();
    case 'chatTermsFailed':
      return m.notice_chatTermsFailed();
    case 'chatClearFailed':
      return m.notice_chatClearFailed();
    case 'lockFailed':
      return m.notice_lockFailed();
    case 'endFailed':
      return m.notice_endFailed();
    case 'goOnFailed':
      return m.notice_goOnFailed();
  }
}

export function pathWords(path: 'direct' | 'turn' | 'relay'): string {
  switch (path) {
    case 'direct':
      return m.people_path_direct();
    case 'turn':
      return m.people_path_turn();
    case 'relay':
      return m.people_path_relay();
  }
}

/** The paths in use, each with how many connections take it. */
export function pathSummary(tiles: LiveView['tiles']): string[] {
  const count = (path: 'direct' | 'turn' | 'relay'): number => tiles.filter((tile) => tile.path === path).length;
  const [direct, turn, relay] = [count('direct'), count('turn'), count('relay')];
  return [
    ...(direct > 0 ? [m.verify_path_direct({ count: direct })] : []),
    ...(turn > 0 ? [m.verify_path_turn({ count: turn })] : []),
    ...(relay > 0 ? [m.verify_path_relay({ count: relay })] : []),
  ];
}
