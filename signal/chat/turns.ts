/** One thing at a time for each meeting: what is read, stored and told of a chat in several steps that nothing may come between. */
import type { MeetingId } from '../protocol/ids.ts';

export class Turns {
  readonly #last = new Map<MeetingId, Promise<void>>();

  /** Runs after everything that was asked for before. What it throws is its caller's. */
  take<T>(meeting: MeetingId, task: () => Promise<T>): Promise<T> {
    const result = (this.#last.get(meeting) ?? Promise.resolve()).then(task);
    const done: Promise<void> = result
      .then(ignore, ignore)
      .then(() => void (this.#last.get(meeting) === done && this.#last.delete(meeting)));
    this.#last.set(meeting, done);
    return result;
  }
}

function ignore(): void {}
