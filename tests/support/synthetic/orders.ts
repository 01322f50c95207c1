/** A process of the test's own that does what it is told: orders go to it by name, one answer comes back for each. */
import { fork, type ChildProcess } from 'node:child_process';

interface Answer {
  id: number;
  result?: unknown;
  error?: string;
}

type Handlers = Record<string, (params: never) => unknown>;
type Names<H> = keyof H & string;

export class Servant<H extends Handlers> {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (result: never) => void; reject: (error: Error) => void }>();
  #nextId = 1;

  constructor(script: URL, execArgv: string[] = []) {
    this.#child = fork(script, { execArgv });
    this.#child.on('message', ({ id, result, error }: Answer) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(result as never);
      else waiting?.reject(new Error(error));
    });
    this.#child.once('exit', (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${script.pathname} ended with ${code}`));
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  order<N extends Names<H>>(name: N, params: Parameters<H[N]>[0]): Promise<Awaited<ReturnType<H[N]>>> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, name, params });
    });
  }

  /** Idempotent. */
  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }
}

/** In the process itself. */
export function obey(handlers: Handlers): void {
  process.on('message', ({ id, name, params }: { id: number; name: string; params: never }) => {
    Promise.resolve()
      .then(() => handlers[name]!(params))
      .then(
        (result) => process.send!({ id, result: result ?? null }),
        (error: unknown) => process.send!({ id, error: String(error) }),
      );
  });
  // Nobody is left to tell.
  process.on('disconnect', () => process.exit());
}
