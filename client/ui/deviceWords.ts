/** What is wrong with cameras and microphones, and where this browser lets one mend it. */
import type { DeviceProblem } from '../meeting/view.ts';
import { m } from '../paraglide/messages.js';
import type { BrowserFamily } from './browserFamily.ts';

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
