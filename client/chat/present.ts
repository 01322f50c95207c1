/**
 * What is shown of a chat, from what is known of it. Views of messages that are as they were are the same objects, so that a screen
 * with ten thousand of them draws what has changed.
 */
import type { FileBody } from './bodies.ts';
import type { Chat } from './chat.ts';
import { cleanName, pictureType } from './fileNames.ts';
import type { Said } from './thread.ts';
import type { ChatFile, ChatMessage, ChatPerson, Delivery, ReactionView } from './view.ts';

const QUOTE = 140;

interface Drawn {
  readonly said: Said;
  /** Everything else that the view depends on. */
  readonly key: string;
  /** Our own name, which it may mention. */
  readonly own: string | null;
  readonly view: ChatMessage;
}

export class Presenter {
  readonly #chat: Chat;
  readonly #drawn = new Map<string, Drawn>();
  readonly #people = new Map<string, ChatPerson>();

  constructor(chat: Chat) {
    this.#chat = chat;
  }

  messages(failed: boolean): ChatMessage[] {
    const { thread } = this.#chat;
    const all = thread.said;
    const own = this.#chat.name;
    return all.map((said) => {
      const drawn = this.#drawn.get(said.id);
      // Most of a long history: nothing but the two can have changed it.
      if (drawn?.said === said && isPlain(drawn) && drawn.view.author === this.person(said.author) && drawn.own === own)
        return drawn.view;
      const delivery = said.author === this.#chat.self ? this.#delivery(said, failed) : null;
      const author = this.person(said.author);
      const quoted = this.#quote(said);
      const to = said.to === null ? null : this.person(said.to);
      const reactions = [...said.reactions].map(([emoji, who]) => this.#reaction(emoji, who));
      const key = JSON.stringify([author, delivery, quoted, reactions, own, to]);
      if (drawn?.said === said && drawn.key === key) return drawn.view;
      const { id, at, text, edited, erased } = said;
      const files = said.files.map(fileOf);
      const more = { delivery, replyTo: quoted, reactions, mentionsMe: mentions(text, own), to };
      const view: ChatMessage = { id, author, at, text, files, edited, deleted: erased, ...more };
      this.#drawn.set(id, { said, key, own, view });
      return view;
    });
  }

  person(id: string): ChatPerson {
    const { thread, self, presence } = this.#chat;
    const { here } = presence;
    const person = {
      id,
      name: (id === self ? this.#chat.name : (thread.nameOf(id) ?? presence.nameOf(id))) ?? '',
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
    const { thread, self } = this.#chat;
    const { here } = this.#chat.presence;
    return [...new Set([self, ...thread.authors, ...here])].map((id) => this.person(id));
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
  const isShown = picture !== undefined && pictureType(type) !== null;
  return {
    name: cleanName(name),
    size,
    type,
    picture: isShown
      ? {
          width: picture.width,
          height: picture.height,
          // Its type is ours to say: whatever is in it, a browser shows a picture or nothing.
          thumbnail: `data:image/jpeg;base64,${picture.thumbnail.replaceAll('-', '+').replaceAll('_', '/')}`,
        }
      : null,
  };
}

/** Of somebody else for all, answers nothing, and nobody has reacted to it. */
function isPlain({ said, view: { delivery, reactions } }: Drawn): boolean {
  return delivery === null && said.to === null && said.reply === null && reactions.length === 0;
}

/** @param own our name; null: nobody can have meant us by it */
export function mentions(text: string, own: string | null): boolean {
  const lower = text.toLowerCase();
  const names = ['everyone', ...(own === null ? [] : [own.toLowerCase()])];
  return names.some((name) => isMentioned(lower, `@${name}`));
}

/** Not in the middle of a word, as in an address. */
function isMentioned(text: string, mention: string): boolean {
  for (let at = text.indexOf(mention); at >= 0; at = text.indexOf(mention, at + 1)) {
    const isWord = (character: string | undefined): boolean =>
      character !== undefined && /[\p{L}\p{N}_]/u.test(character);
    if (!isWord(text[at - 1]) && !isWord(text[at + mention.length])) return true;
  }
  return false;
}

/**
 * Everything that can be read, as text for people.
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
      const quote =
        replyTo === null || replyTo.gone ? '' : `> ${replyTo.name || unnamed}: ${replyTo.text.replaceAll('\n', ' ')}\n`;
      const only = to === null ? '' : ` (${onlyTo(to.name || unnamed)})`;
      const said = [text, ...files.map(({ name }) => `[${name}]`)].filter((line) => line !== '').join('\n');
      return `[${timeOf(at)}] ${author.name || unnamed}${only}\n${quote}${said}\n`;
    });
  return lines.join('\n');
}

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
