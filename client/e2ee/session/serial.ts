/**
 * One ordered queue: tasks run one after the other, each to its end. The session's state is touched from inside it alone, so
 * no two events ever interleave. A task must not wait for an answer of the server: that answer comes through this queue too.
 */
export class Serial {
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** Runs `task` after all that were given before. A task that fails does not stop the next. */
  run<T>(task: () => T | Promise<T>): Promise<T> {
    this.#waiting++;
    const turn = this.#tail.then(task).finally(() => {
      this.#waiting--;
    });
    this.#tail = turn.catch(() => undefined);
    return turn;
  }

  get isIdle(): boolean {
    return this.#waiting === 0;
  }
}
