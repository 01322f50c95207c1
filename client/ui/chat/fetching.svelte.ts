/** One file of a message on its way here: asked for by a person, never before. */
import type { ChatFacade, FileFault } from '../../chat/view.ts';

type State = { at: 'idle' } | { at: 'fetching'; share: number } | { at: 'failed'; why: FileFault };

export class Fetching {
  state = $state.raw<State>({ at: 'idle' });
  #stop: AbortController | null = null;

  /** @returns null where it failed, or was called off */
  async fetch(chat: ChatFacade, message: string, index: number): Promise<Blob | null> {
    this.cancel();
    const stop = (this.#stop = new AbortController());
    const { signal } = stop;
    this.state = { at: 'fetching', share: 0 };
    const progress = (share: number): void => {
      if (!signal.aborted) this.state = { at: 'fetching', share };
    };
    try {
      const blob = await chat.fetchFile(message, index, { progress, signal });
      if (signal.aborted) return null;
      this.state = { at: 'idle' };
      return blob;
    } catch (error) {
      if (!signal.aborted) this.state = { at: 'failed', why: faultIn(error) };
      return null;
    }
  }

  /** Idempotent. */
  cancel(): void {
    this.#stop?.abort();
    this.#stop = null;
    this.state = { at: 'idle' };
  }
}

function faultIn(error: unknown): FileFault {
  return (error as { fault?: FileFault }).fault ?? 'refused';
}
