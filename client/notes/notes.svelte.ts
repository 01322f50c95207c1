/** The shared notes as the screens see them: drawn anew with the chat that carries them. */
import type { Chat } from '../chat/chat.ts';
import { keyOf, type PageTold } from './notes.ts';
import type { NotesFacade, NotesView, PageView } from './view.ts';

const COLOURS = 8;

export class NotesOnScreen implements NotesFacade {
  #view = $state.raw<NotesView | null>(null);
  #chat: Chat | null = null;
  #name: (id: string) => string = () => '';
  readonly #ends = new AbortController();

  /** @param name of somebody, by their identity */
  open(chat: Chat, name: (id: string) => string): void {
    this.#chat = chat;
    this.#name = name;
    // What was typed a moment ago is kept, if the page is closed now.
    addEventListener('pagehide', () => this.flush(), { signal: this.#ends.signal });
  }

  get view(): NotesView | null {
    return this.#view;
  }

  looked(): void {
    this.#chat?.markNotesSeen();
  }

  copy(key: string): void {
    const notes = this.#chat?.notes;
    const page = notes?.pages.find((one) => keyOf(one.page.name) === key)?.page;
    if (page !== undefined) notes!.copy(page);
  }

  moved(place: { from: Uint8Array; to: Uint8Array } | null): void {
    this.#chat?.cursors.moved(place);
  }

  flush(): void {
    void this.#chat?.notes.flush();
  }

  draw(): void {
    const chat = this.#chat;
    if (chat === null) return;
    const { notes, cursors, presence } = chat;
    const shown = notes.pages.filter(({ page, by }) => page === notes.page || (by !== null && !page.isEmpty));
    const pages = shown.map((one) => this.#page(one)).reverse();
    const { here } = presence;
    const before = this.#view?.page;
    const page = before?.key === pages[0]!.key && before.by === pages[0]!.by ? before : pages[0]!;
    this.#view = {
      page,
      earlier: pages.slice(1),
      hasNew: chat.hasNewNotes,
      lastBy: notes.lastBy === null ? null : this.#name(notes.lastBy),
      isFull: notes.page.isFull,
      lacks: notes.lacks,
      lacking: cursors.lacking.filter((id) => here.includes(id)).map((id) => this.#name(id)),
      cursors: cursors.shown.map(({ author, from, to }) => {
        return { id: author, name: this.#name(author), colour: colourOf(author), from, to };
      }),
      isWaiting: notes.isPending || !chat.signal.isLevel,
    };
  }

  close(): void {
    this.#ends.abort();
  }

  #page({ page, by }: PageTold): PageView {
    return { key: keyOf(page.name), at: page.name.at, by: by && this.#name(by), text: page.text };
  }
}

function colourOf(identity: string): number {
  return [...identity].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 65_521, 7) % COLOURS;
}
