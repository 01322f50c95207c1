/** What somebody is doing in the chat. It outlives the sheet, so that what was being written is there when it opens again. */
import { type ChatMessage, MAX_TEXT } from '../../chat/view.ts';

export class Panel {
  /** Written and not sent yet. */
  draft = $state('');
  replyTo = $state.raw<ChatMessage | null>(null);
  /** Identity of the only reader; null for everybody. */
  to = $state<string | null>(null);
  /** Of one's own messages, and the text as it is being changed. */
  editing = $state<{ id: string; text: string } | null>(null);
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
    this.editing = null;
    this.replyTo = message;
    if (message.to) this.to = message.author.self ? message.to.id : message.author.id;
    this.asksForWords++;
  }

  edit(message: ChatMessage): void {
    this.editing = { id: message.id, text: message.text };
    this.asksForWords++;
  }

  writeTo(person: string): void {
    this.editing = null;
    this.to = person;
    this.asksForWords++;
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
