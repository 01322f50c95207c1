/** Unions of the façades in words of the catalogue. One switch per union, so that a new case asks for its words. */
import type { ClosedReason, DeviceProblem, HomeFacade, LiveView, NoticeView, TileState } from '../meeting/view.ts';
import { m } from '../paraglide/messages.js';
import type { BrowserFamily } from './browserFamily.ts';
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

/** What is wrong with a camera or microphone, in a sentence that ends with what to do, but for a block (see `remedyWords`). */
export function deviceProblemWords(kind: 'camera' | 'microphone', problem: DeviceProblem): string {
  const isCamera = kind === 'camera';
  switch (problem) {
    case 'denied':
      return isCamera ? m.device_problem_denied_camera() : m.device_problem_denied_microphone();
    case 'dismissed':
      return isCamera ? m.device_problem_dismissed_camera() : m.device_problem_dismissed_microphone();
    case 'inUse':
      return isCamera ? m.device_problem_inUse_camera() : m.device_problem_inUse_microphone();
    case 'missing':
      return isCamera ? m.device_problem_missing_camera() : m.device_problem_missing_microphone();
    case 'unplugged':
      return isCamera ? m.device_problem_unplugged_camera() : m.device_problem_unplugged_microphone();
    case 'insecureOrigin':
      return m.device_problem_insecureOrigin();
    case 'unknown':
      return isCamera ? m.device_problem_unknown_camera() : m.device_problem_unknown_microphone();
  }
}

/** Camera and microphone are asked for together, so they are often refused together; null where each needs its own words. */
export function bothDevicesWords(problem: DeviceProblem): string | null {
  switch (problem) {
    case 'denied':
      return m.device_problem_denied_both();
    case 'dismissed':
      return m.device_problem_dismissed_both();
    case 'insecureOrigin':
      return m.device_problem_insecureOrigin();
    case 'inUse':
    case 'missing':
    case 'unplugged':
    case 'unknown':
      return null;
  }
}

/** Where a block is lifted in this browser. */
export function remedyWords(family: BrowserFamily): string {
  switch (family) {
    case 'chrome':
      return m.device_remedy_chrome();
    case 'firefox':
      return m.device_remedy_firefox();
    case 'safari':
      return m.device_remedy_safari();
    case 'ios':
      return m.device_remedy_ios();
    case 'android':
      return m.device_remedy_android();
    case 'other':
      return m.device_remedy_other();
  }
}

export function homeProblemWords(problem: NonNullable<HomeFacade['problem']>): string {
  switch (problem) {
    case 'offline':
      return m.home_problem_offline();
    case 'tooMany':
      return m.home_problem_tooMany();
    case 'internal':
      return m.home_problem_internal();
    case 'storage':
      return m.home_problem_storage();
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
    case 'split':
      return m.notice_split();
    case 'withheld':
      return m.notice_withheld();
    case 'forged':
      return m.notice_forged();
    case 'commitRefused':
      return m.notice_commitRefused();
    case 'deviceLost':
      return m.notice_deviceLost();
    case 'deviceSwitched':
      return m.notice_deviceSwitched();
    case 'serverBack':
      return m.notice_serverBack();
    case 'shareFailed':
      return m.notice_shareFailed();
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

type JoiningStep = 'connecting' | 'securing' | 'waitingForOthers';

/** What a join is waiting for; in full where it takes long. */
export function joiningWords(step: JoiningStep, slow: boolean): string {
  switch (step) {
    case 'connecting':
      return slow ? m.lobby_joining_connecting_slow() : m.lobby_joining_connecting();
    case 'securing':
      return slow ? m.lobby_joining_securing_slow() : m.lobby_joining_securing();
    case 'waitingForOthers':
      return slow ? m.lobby_joining_waitingForOthers_slow() : m.lobby_joining_waitingForOthers();
  }
}

/** Title and next step for everybody who is not in the meeting. `unknown`: an address that belongs to no meeting. */
export function closedWords(reason: ClosedReason | 'unknown'): { title: string; text: string } {
  switch (reason) {
    case 'left':
      return { title: m.closed_left_title(), text: m.closed_left_text() };
    case 'removed':
      return { title: m.closed_removed_title(), text: m.closed_removed_text() };
    case 'ended':
      return { title: m.closed_ended_title(), text: m.closed_ended_text() };
    case 'notFound':
      return { title: m.closed_notFound_title(), text: m.closed_notFound_text() };
    case 'oldLink':
      return { title: m.closed_oldLink_title(), text: m.closed_oldLink_text() };
    case 'locked':
      return { title: m.closed_locked_title(), text: m.closed_locked_text() };
    case 'full':
      return { title: m.closed_full_title(), text: m.closed_full_text() };
    case 'elsewhere':
      return { title: m.closed_elsewhere_title(), text: m.closed_elsewhere_text() };
    case 'serverLies':
      return { title: m.closed_serverLies_title(), text: m.closed_serverLies_text() };
    case 'needsLink':
      return { title: m.closed_needsLink_title(), text: m.closed_needsLink_text() };
    case 'unsupportedBrowser':
      return { title: m.closed_unsupportedBrowser_title(), text: m.closed_unsupportedBrowser_text() };
    case 'insecureOrigin':
      return { title: m.closed_insecureOrigin_title(), text: m.closed_insecureOrigin_text() };
    case 'noSealedFrames':
      return { title: m.closed_noSealedFrames_title(), text: m.closed_noSealedFrames_text() };
    case 'offline':
      return { title: m.closed_offline_title(), text: m.closed_offline_text() };
    case 'internal':
      return { title: m.closed_internal_title(), text: m.closed_internal_text() };
    case 'unknown':
      return { title: m.unknown_title(), text: m.unknown_text() };
  }
}
