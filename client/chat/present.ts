/**
 * What is shown of a chat, from what is known of it. Views of messages that are as they were are the same objects, so that a screen
 * with ten thousand of them draws what has changed.
 */
import type { FileBody } from './bodies.ts';
import type { Chat } from './chat.ts';
import { cleanName, pictureType } from './fileNames.ts';
import { codesOf, withCode } from './namesakes.ts';
import type { Said } from './thread.ts';
import { thumbnailAddress } from './thumbnails.ts';
import { visibleLine, visibleText } from './visible.ts';
import type { ChatFile, ChatMessage, ChatPerson, Delivery, ReactionView } from './view.ts';

const QUOTE = 140;

interface Drawn {
  readonly said: Said;
  /** Everything else that the view depends on. */
  readonly key: string;
  /** How we are called, and others. */
  readonly called: string;
  readonly view: ChatMessage;
}

export class Presenter {
  readonly #chat: Chat;
  readonly #drawn = new Map<string, Drawn>();
  readonly #people = new Map<string, ChatPerson>();
  #codes: ReadonlyMap<string, string> = new Map();

  constructor(chat: Chat) {
    this.#chat = chat;
  }

  messages(failed: boolean): ChatMessage[] {
    const { thread } = this.#chat;
    const all = thread.said;
    const own = this.#chat.name;
    const longer = longerNames(own, this.people);
    const called = JSON.stringify([own, longer]);
    return all.map((said) => {
      const drawn = this.#drawn.get(said.id);
      // Most of a long history: nothing but the two can have changed it.
      if (
        drawn?.said === said &&
        isPlain(drawn) &&
        drawn.view.author === this.person(said.author) &&
        drawn.called === called
      )
        return drawn.view;
      const delivery = said.author === this.#chat.self ? this.#delivery(said, failed) : null;
      const author = this.person(said.author);
      const quoted = this.#quote(said);
      const to = said.to === null ? null : this.person(said.to);
      const reactions = [...said.reactions].map(([emoji, who]) => this.#reaction(emoji, who));
      const key = JSON.stringify([author, delivery, quoted, reactions, called, to]);
      if (drawn?.said === said && drawn.key === key) return drawn.view;
      const { id, at, text, edited, erased } = said;
      const files = said.files.map(fileOf);
      const more = { delivery, replyTo: quoted, reactions, mentionsMe: mentions(text, own, longer), to };
      const view: ChatMessage = { id, author, at, text, files, edited, deleted: erased, ...more };
      this.#drawn.set(id, { said, key, called, view });
      return view;
    });
  }

  person(id: string): ChatPerson {
    const { thread, self, presence } = this.#chat;
    const { here } = presence;
    const person = {
      id,
      name: this.#nameOf(id),
      self: id === self,
      here: id === self || here.includes(id),
      hasCard: id !== self && thread.hasCard(id),
    };
    const before = this.#people.get(id);
    if (before && before.name === person.name && before.here === person.here && before.hasCard === person.hasCard)
      return before;
    this.#people.set(id, person);
    return person;
  }

  get people(): ChatPerson[] {
    const { thread, self, presence } = this.#chat;
    const ids = [...new Set([self, ...thread.authors, ...presence.here])];
    this.#codes = codesOf(ids.map((id) => ({ id, name: this.#saidOf(id) })));
    return ids.map((id) => this.person(id));
  }

  /** As they say; empty where they never did. */
  #saidOf(id: string): string {
    const { thread, self, presence, name } = this.#chat;
    return (id === self ? name : (thread.nameOf(id) ?? presence.nameOf(id))) ?? '';
  }

  /** With what tells them from others of the same name; we are "you" anyway. */
  #nameOf(id: string): string {
    const name = this.#saidOf(id);
    const code = id === this.#chat.self ? undefined : this.#codes.get(id);
    return code === undefined ? name : withCode(name, code);
  }

  /** What waits here has been read by nobody, whatever others say. */
  #delivery({ id, to }: Said, failed: boolean): Delivery {
    if (!this.#chat.isKept(id)) return { at: failed ? 'failed' : 'waiting' };
    const readers = this.#chat.reading.readersOf(id);
    const by = to === null ? readers : readers.filter((one) => one === to);
    return by.length > 0 ? { at: 'seen', by: by.map((one) => this.person(one).name) } : { at: 'sent' };
  }

  #quote(answer: Said): ChatMessage['replyTo'] {
    const said = this.#chat.thread.quoted(answer);
    if (said === null || said === 'hidden') return null;
    if (said === 'unknown') return { id: answer.reply!, name: '', text: '', gone: true };
    const { id, author, text, files, erased } = said;
    const words = text || files.map(({ name }) => cleanName(name)).join(', ');
    return { id, name: this.person(author).name, text: words.slice(0, QUOTE), gone: erased };
  }

  #reaction(emoji: string, who: readonly string[]): ReactionView {
    const { self } = this.#chat;
    const others = who.filter((one) => one !== self).map((one) => this.person(one).name);
    const mine = who.includes(self);
    return { emoji, names: mine ? [this.person(self).name, ...others] : others, mine };
  }
}

/** As its author says, as far as that can be shown. */
function fileOf({ name, size, type, picture }: FileBody): ChatFile {
  // Its type is ours to say: whatever is in it, a browser shows a picture or nothing.
  const thumbnail = picture === undefined || pictureType(type) === null ? null : thumbnailAddress(picture);
  return {
    ...{ name: cleanName(name), size, type },
    picture: thumbnail === null ? null : { width: picture!.width, height: picture!.height, thumbnail },
  };
}

/** Of somebody else for all, answers nothing, and nobody has reacted to it. */
function isPlain({ said, view: { delivery, reactions } }: Drawn): boolean {
  return delivery === null && said.to === null && said.reply === null && reactions.length === 0;
}

/** Of others, which begin as ours does: whoever is called by one of these is not we. */
function longerNames(own: string | null, people: readonly ChatPerson[]): string[] {
  if (own === null) return [];
  const names = people.filter(({ self }) => !self).map(({ name }) => name);
  return names.filter((name) => name.length > own.length && name.toLowerCase().startsWith(own.toLowerCase()));
}

/**
 * @param own our name; null: nobody can have meant us by it
 * @param longer others' names that begin with it
 */
export function mentions(text: string, own: string | null, longer: readonly string[] = []): boolean {
  const lower = text.toLowerCase();
  const others = longer.map((name) => `@${name.toLowerCase()}`);
  const names = ['everyone', ...(own === null ? [] : [own.toLowerCase()])];
  return names.some((name) => isMentioned(lower, `@${name}`, name === 'everyone' ? [] : others));
}

/** Not in the middle of a word, as in an address, nor of another's name. */
function isMentioned(text: string, mention: string, others: readonly string[]): boolean {
  for (let at = text.indexOf(mention); at >= 0; at = text.indexOf(mention, at + 1)) {
    const isOther = others.some((other) => text.startsWith(other, at) && !isWordAt(text, at + other.length));
    if (!isOther && !isWordAt(text, at - 1) && !isWordAt(text, at + mention.length)) return true;
  }
  return false;
}

function isWordAt(text: string, index: number): boolean {
  return /[\p{L}\p{N}_]/u.test(text[index] ?? '');
}

/**
 * Everything that can be read, as text for people. Only what this program says stands at the beginning of a line: nobody writes into their
 * message what looks like another's.
 * @param timeOf writes a time
 * @param onlyTo says of whom a message is for alone
 * @param unnamed how somebody is called who never gave a name
 */
export function exportText(
  messages: readonly ChatMessage[],
  { timeOf, onlyTo, unnamed }: { timeOf: (at: number) => string; onlyTo: (name: string) => string; unnamed: string },
): string {
  const lines = messages
    .filter(({ deleted }) => !deleted)
    .map(({ at, author, text, files, replyTo, to }) => {
      const quoted =
        replyTo === null || replyTo.gone
          ? []
          : [`> ${visibleLine(replyTo.name || unnamed)}: ${visibleText(replyTo.text.split(LINE_END).join(' '))}`];
      const only = to === null ? '' : ` (${onlyTo(visibleLine(to.name || unnamed))})`;
      const words = text === '' ? [] : text.split(LINE_END).map(visibleText);
      const said = [...quoted, ...words, ...files.map(({ name }) => `[${name}]`)];
      return `[${timeOf(at)}] ${visibleLine(author.name || unnamed)}${only}\n${said.map((line) => `  ${line}\n`).join('')}`;
    });
  return lines.join('\n');
}

/** Whatever some program begins another line at. */
const LINE_END = /\r\n|[\n\v\f\r\u0085\u2028\u2029]/u;

/** The same for programs. */
export function exportJson(messages: readonly ChatMessage[]): string {
  const all = messages
    .filter(({ deleted }) => !deleted)
    .map(({ id, at, author, text, files, edited, replyTo, reactions, to }) => ({
      id,
      at: new Date(at).toISOString(),
      author: { identity: author.id, name: author.name },
      onlyTo: to && { identity: to.id, name: to.name },
      text,
      files: files.map(({ name, size, type }) => ({ name, size, type })),
      edited,
      replyTo: replyTo?.id ?? null,
      reactions: reactions.map(({ emoji, names }) => ({ emoji, names })),
    }));
  return `${JSON.stringify(all, null, 2)}\n`;
}
