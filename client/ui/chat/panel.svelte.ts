/** What somebody is doing in the chat. It outlives the sheet, so that what was being written is there when it opens again. */
import { type ChatFacade, type ChatMessage, MAX_TEXT, type Written } from '../../chat/view.ts';

/** What leaves the field to be written. */
interface Taken {
  draft: string;
  replyTo: ChatMessage | null;
  to: string | null;
  editing: { id: string; text: string; with: string | null } | null;
}

export class Panel {
  /** Written and not sent yet. */
  draft = $state('');
  replyTo = $state.raw<ChatMessage | null>(null);
  /** Identity of the only reader; null for everybody. It stays until it is chosen anew: what follows is mostly for the same one. */
  to = $state<string | null>(null);
  /** Of one's own messages, and the text as it is being changed. `with`: who alone can read it. */
  editing = $state<{ id: string; text: string; with: string | null } | null>(null);
  /** What could not be written is in the field again, and this is why. */
  problem = $state<Exclude<Written, 'written'> | 'tooManyFiles' | null>(null);
  /** Being written: until it is, nothing changes for whom it is. */
  #underWay = 0;
  /** Null while nobody searches. */
  query = $state<string | null>(null);
  /** Message that the search, a quoted line or a button leads to; each time anew. */
  goal = $state.raw<{ id: string } | null>(null);
  /** Message that is asked about. */
  deleting = $state<string | null>(null);
  /** A host is asked whether all of it should go. */
  isClearing = $state(false);
  areTermsOpen = $state(false);
  /** Rises with each message of one's own: the list goes to its end. */
  sent = $state(0);
  /** Rises where the words have to be written next. */
  asksForWords = $state(0);

  get text(): string {
    return this.editing?.text ?? this.draft;
  }

  set text(text: string) {
    if (this.editing) this.editing.text = text;
    else this.draft = text;
  }

  /** How many characters more it may have; below zero there are too many. */
  get left(): number {
    return MAX_TEXT - this.text.length;
  }

  /** Whoever answers what only two can read does not mean to tell everybody. */
  reply(message: ChatMessage): void {
    if (this.#underWay > 0) return;
    this.editing = null;
    this.replyTo = message;
    this.to = otherOf(message) ?? this.to;
    this.asksForWords++;
  }

  edit(message: ChatMessage): void {
    if (this.#underWay > 0) return;
    this.editing = { id: message.id, text: message.text, with: otherOf(message) };
    this.asksForWords++;
  }

  writeTo(person: string): void {
    this.editing = null;
    this.choose(person);
    this.asksForWords++;
  }

  /** @param to null: everybody, who must not learn of what it answered between two */
  choose(to: string | null): void {
    if (this.#underWay > 0) return;
    this.to = to;
    const between = this.replyTo === null ? null : otherOf(this.replyTo);
    if (between !== null && between !== to) this.replyTo = null;
  }

  /** Writes what is in the field, which is free at once. Where that fails it is in it again, before what was written since. */
  async write(how: (taken: Taken) => Promise<Written>): Promise<boolean> {
    const taken: Taken = { draft: this.draft, replyTo: this.replyTo, to: this.to, editing: this.editing };
    this.problem = null;
    if (taken.editing) this.editing = null;
    else [this.draft, this.replyTo] = ['', null];
    this.#underWay++;
    const result = await how(taken).catch(() => 'failed' as const);
    this.#underWay--;
    if (result === 'written') return true;
    this.problem = result;
    if (taken.editing) this.editing = taken.editing;
    else {
      this.draft = [taken.draft, this.draft].filter((text) => text.trim() !== '').join('\n');
      this.replyTo = taken.replyTo;
    }
    return false;
  }

  jump(id: string): void {
    this.goal = { id };
  }

  /** Leaves what was begun. @returns false if there was nothing */
  back(): boolean {
    if (this.editing) this.editing = null;
    else if (this.replyTo) this.replyTo = null;
    else return false;
    return true;
  }
}

const panels = new WeakMap<ChatFacade, Panel>();

/** One for each chat, whichever sheet shows it: what is begun in the lobby goes on in the meeting. */
export function panelOf(chat: ChatFacade): Panel {
  const panel = panels.get(chat) ?? new Panel();
  panels.set(chat, panel);
  return panel;
}

/** Of a message between two the one who is not oneself. */
function otherOf({ author, to }: ChatMessage): string | null {
  return to && (author.self ? to.id : author.id);
}
