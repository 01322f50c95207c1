/**
 * Lines for people, oldest first. Those that only inform go by themselves.
 */
import type { NoticeView } from './view.ts';

const INFO_MS = 6000;
/** An alarm that repeats is one alarm: a hostile server must not bury the screen. */
const QUIET_MS = 30_000;
const MOST = 5;

export class Notices {
  #list = $state.raw<readonly NoticeView[]>([]);
  #next = 1;
  readonly #saidAt: Partial<Record<NoticeView['key'], number>> = {};
  #closed = false;

  get list(): readonly NoticeView[] {
    return this.#list;
  }

  add(notice: Omit<NoticeView, 'id'>): void {
    const now = Date.now();
    if (this.#closed) return;
    if (notice.tone === 'danger' && now - (this.#saidAt[notice.key] ?? -Infinity) < QUIET_MS) return;
    this.#saidAt[notice.key] = now;
    const id = this.#next++;
    for (const old of this.#list.slice(0, Math.max(0, this.#list.length + 1 - MOST))) this.dismiss(old.id);
    this.#list = [...this.#list, { ...notice, id }];
    if (notice.tone === 'info') setTimeout(() => this.dismiss(id), INFO_MS);
  }

  dismiss(id: number): void {
    this.#list = this.#list.filter((notice) => notice.id !== id);
  }

  close(): void {
    this.#closed = true;
    this.#list = [];
  }
}
