/** People, states and terms of the chat in words of the catalogue. One switch per union, so that a new case asks for its words. */
import type { ChatTerms } from '../../../signal/protocol/documents.ts';
import type { ChatAlarm, ChatMessage, ChatPerson, Delivery, Written } from '../../chat/view.ts';
import { visibleLine, visibleText } from '../../chat/visible.ts';
import { m } from '../../paraglide/messages.js';
import { listOf } from '../time.ts';

/** More names than these are a number. */
const NAMES = 3;

/** Longer than any field of ours lets a name be. */
const NAME_LENGTH = 64;

/** A name as it may stand on the screen, whoever sent it. */
export function shownName(name: string): string {
  const line = visibleLine(name.trim());
  return line.length > NAME_LENGTH ? `${line.slice(0, NAME_LENGTH)}…` : line || m.chat_unnamed();
}

/** What is read out as it comes. */
export function saidWords(message: ChatMessage): string {
  const { author, text, files, to } = message;
  const names = files.map(({ name, picture }) =>
    picture ? m.chat_said_picture({ name }) : m.chat_said_file({ name }),
  );
  const said = {
    name: personName(author),
    text: [visibleText(text), ...names.map(shownLine)].filter(Boolean).join('. '),
  };
  return to === null ? m.chat_said(said) : m.chat_said_private(said);
}

/** What a message says in one line: of one without words, what its files are called. */
export const wordsOf = ({ text, files }: Pick<ChatMessage, 'text' | 'files'>): string =>
  text || files.map(({ name }) => name).join(', ');

/** No more of a text than one line can show. */
export const shownLine = (text: string): string => visibleLine(text.slice(0, 200).replace(/\s+/g, ' '));

export const personName = (person: Pick<ChatPerson, 'name' | 'self'>): string =>
  person.self ? m.chat_you() : shownName(person.name);

/** Between whom a message is; null for everybody. */
export function privateWords({ author, to }: ChatMessage): string | null {
  return to && m.chat_private({ name: shownName((author.self ? to : author).name) });
}

export function deliveryWords(delivery: Delivery): string {
  switch (delivery.at) {
    case 'waiting':
      return m.chat_delivery_waiting();
    case 'sent':
      return m.chat_delivery_sent();
    case 'failed':
      return m.chat_delivery_failed();
    case 'seen': {
      const names = delivery.by.map(shownName);
      const count = names.length - NAMES;
      return count > 0
        ? m.chat_delivery_seen_more({ names: names.slice(0, NAMES).join(', '), count })
        : m.chat_delivery_seen({ names: listOf(names) });
    }
  }
}

/** Null while nobody types. */
export function typingWords(typing: readonly string[]): string | null {
  if (typing.length === 0) return null;
  if (typing.length > NAMES) return m.chat_typing_many();
  const names = listOf(typing.map(shownName));
  return typing.length === 1 ? m.chat_typing({ names }) : m.chat_typing_several({ names });
}

/** Oneself first. */
export function reactionNames(names: readonly string[], mine: boolean): string {
  return listOf([...(mine ? [m.chat_you()] : []), ...names.slice(mine ? 1 : 0).map(shownName)]);
}

export const unwrittenWords = (why: Exclude<Written, 'written'>): string =>
  why === 'noCard' ? m.chat_not_locked() : m.chat_not_written();

export function alarmWords({ is, by }: ChatAlarm): string {
  const names = listOf(by.map(({ name }) => shownName(name)));
  switch (is) {
    case 'rolledBack':
      return m.chat_alarm_rolledBack();
    case 'dropped':
      return m.chat_alarm_dropped();
    case 'deleted':
      return m.chat_alarm_deleted();
    case 'withheld':
      return m.chat_alarm_withheld({ names });
    case 'split':
      return m.chat_alarm_split({ names });
    case 'gap':
      return by.length === 0 ? m.chat_alarm_gap() : m.chat_alarm_gap_of({ names });
    case 'forged':
      return m.chat_alarm_forged();
    case 'forked':
      return m.chat_alarm_forked({ names });
  }
}

export function newcomersWords({ newcomers }: ChatTerms): string {
  switch (newcomers.see) {
    case 'all':
      return m.chat_terms_all();
    case 'nothing':
      return m.chat_terms_nothing();
    case 'hours':
      return m.chat_terms_hours({ count: newcomers.hours });
  }
}

/** Who can read what is written now. */
export const readersWords = ({ newcomers }: ChatTerms): string =>
  newcomers.see === 'all' ? m.chat_empty_open() : m.chat_empty_closed();

export const keepWords = ({ keepDays }: ChatTerms): string =>
  keepDays === 0 ? m.chat_terms_left() : m.chat_terms_days({ count: keepDays });
