/**
 * Files on their way out: staged beside what is being written, going up meanwhile, then with a message that waits for them.
 *
 * A message is written only after its files are up, so nobody ever gets one whose files nobody has. What has been sent is kept in this
 * browser until it is written, files and all, and goes on when the chat is open again; what is only staged ends with the page. What is
 * taken back, or given up, is deleted from the server.
 */
import * as z from 'zod/mini';
import type { FileBody } from './bodies.ts';
import type { Files } from './files.ts';
import { KeptFile, OutgoingFile, type OutgoingFileTerms } from './outgoingFile.ts';
import type { ChatPort } from './providers/ways.ts';
import { type ChatPerson, MAX_FILES, MAX_TEXT, type Outgoing, type StagedFile } from './view.ts';

/** What other tabs leave behind is looked for so often. */
const LOOK_MS = 30_000;

/** As it is kept. `at`: when it was sent. */
const Kept = z.object({
  at: z.number(),
  text: z.string().check(z.maxLength(MAX_TEXT)),
  replyTo: z.nullable(z.string()),
  to: z.nullable(z.string()),
  files: z.array(KeptFile).check(z.minLength(1), z.maxLength(MAX_FILES)),
});

type Message = Pick<z.infer<typeof Kept>, 'text' | 'replyTo' | 'to'>;

interface Group extends Message {
  readonly id: string;
  readonly at: number;
  readonly files: readonly OutgoingFile[];
  isFailed: boolean;
  isWriting: boolean;
  /** Its record is on its way to the disk, as it was when that began. */
  isSaving: boolean;
  /** Given up, or the page ends. */
  isOver: boolean;
  kept: Outgoing['kept'];
  /** Never rejects. */
  keeping: Promise<void>;
}

export interface OutgoingTerms {
  readonly port: ChatPort;
  readonly files: Pick<Files, 'seal' | 'put' | 'check' | 'end'>;
  /** Nobody is to have it any more. */
  readonly unfile: OutgoingFileTerms['unfile'];
  /** False: what should go up waits. */
  readonly isOnline: () => boolean;
  readonly readPicture: OutgoingFileTerms['readPicture'];
  /** @param sent  by which it is kept; null: it is not @returns whether it was */
  readonly write: (message: Message, files: FileBody[], sent: string | null) => Promise<boolean>;
  readonly changed: () => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly after: (ms: number, run: () => void) => () => void;
}

export class OutgoingFiles {
  readonly #terms: OutgoingTerms;
  #staged: OutgoingFile[] = [];
  #groups: Group[] = [];
  #made = 0;
  #lookLater: (() => void) | null = null;
  #isClosed = false;

  constructor(terms: OutgoingTerms) {
    this.#terms = terms;
  }

  get staged(): StagedFile[] {
    return this.#staged.map((one) => one.view(this.#terms.isOnline()));
  }

  /** Some of what has been sent would end with the page. */
  get isAtRisk(): boolean {
    return this.#groups.some(({ kept }) => kept !== 'yes');
  }

  outgoing(person: (id: string) => ChatPerson): Outgoing[] {
    return this.#groups.map(({ id, text, to, files, isFailed, kept }) => ({
      ...{ id, text, kept },
      to: to === null ? null : person(to),
      files: files.map((one) => one.view(this.#terms.isOnline())),
      failed: isFailed,
    }));
  }

  /** Goes on with what pages have left that are gone. Often called. */
  async takeUp(): Promise<void> {
    this.#lookLater?.();
    this.#lookLater = this.#terms.after(LOOK_MS, () => void this.takeUp());
    const { port } = this.#terms;
    const { sent } = await port.call('chat.takeSent', {}).catch(() => ({ sent: [] }));
    if (this.#isClosed) return;
    const taken = sent.flatMap(({ id, message }) => {
      const kept = Kept.safeParse(JSON.parse(message)).data;
      // Of another version: nobody could go on with it.
      if (kept === undefined) void port.call('chat.dropSent', { id }).catch(() => undefined);
      return kept === undefined ? [] : [this.#again(id, kept)];
    });
    if (taken.length === 0) return;
    this.#groups = [...this.#groups, ...taken].sort((a, b) => a.at - b.at);
    for (const { files } of taken) for (const one of files) one.begin();
    this.#look();
  }

  /** @returns how many were left */
  add(files: readonly File[]): number {
    const fitting = files.slice(0, MAX_FILES - this.#staged.length);
    const staged = fitting.map((file) => new OutgoingFile(`file ${this.#made++}`, { file }, this.#fileTerms));
    this.#staged.push(...staged);
    for (const one of staged) one.begin();
    this.#terms.changed();
    return files.length - fitting.length;
  }

  remove(id: string): void {
    const one = this.#staged.find((staged) => staged.id === id);
    if (one === undefined) return;
    this.#staged = this.#staged.filter((staged) => staged !== one);
    one.takeBack();
    one.close();
    this.#terms.changed();
  }

  asOriginal(id: string, isOriginal: boolean): void {
    this.#staged.find((staged) => staged.id === id)?.asOriginal(isOriginal);
  }

  /** Takes what is staged along with these words. */
  send({ text, replyTo, to }: Message): void {
    const [id, at] = [newId(), this.#terms.now()];
    const group = this.#group({ ...{ id, at, text, replyTo, to }, files: this.#staged, kept: 'soon' });
    this.#groups.push(group);
    this.#staged = [];
    this.#look();
    group.keeping = this.#keep(group);
  }

  retry(id: string): void {
    const group = this.#groups.find((one) => one.id === id);
    if (group) group.isFailed = false;
    for (const one of group?.files ?? this.#staged.filter((staged) => staged.id === id)) one.retry();
    if (group?.kept === 'no') group.keeping = this.#keep(group);
    this.#look();
  }

  /** A host has deleted what the server kept, and perhaps files whose message is not written yet. */
  cleared(): void {
    const waiting = this.#groups.filter(({ isWriting }) => !isWriting).flatMap(({ files }) => files);
    for (const one of [...this.#staged, ...waiting]) one.again();
  }

  giveUp(id: string): void {
    const group = this.#groups.find((one) => one.id === id);
    if (group === undefined || group.isWriting) return;
    this.#groups = this.#groups.filter((one) => one !== group);
    group.isOver = true;
    // What is kept goes first: else it came back, and named files that are gone.
    void this.#drop(group).then((isGone) => {
      if (!isGone && group.kept === 'yes') return this.#stay(group);
      for (const one of group.files) {
        one.takeBack();
        one.close();
      }
    });
    this.#terms.changed();
  }

  /** It cannot be given up: it would be sent when the page is opened again. */
  #stay(group: Group): void {
    if (this.#isClosed) return;
    group.isOver = false;
    group.isFailed = true;
    this.#groups = [...this.#groups, group].sort((a, b) => a.at - b.at);
    this.#terms.changed();
  }

  /** Nothing goes on, and nothing is deleted: whoever opens the page again goes on with what is kept. */
  close(): void {
    this.#isClosed = true;
    this.#lookLater?.();
    for (const group of this.#groups) group.isOver = true;
    for (const one of [...this.#staged, ...this.#groups.flatMap(({ files }) => files)]) one.close();
  }

  get #fileTerms(): OutgoingFileTerms {
    const { files, readPicture, unfile } = this.#terms;
    return { files, readPicture, unfile, changed: () => this.#look() };
  }

  #again(id: string, { files: kept, ...message }: z.infer<typeof Kept>): Group {
    const files = kept.map((one, file) => {
      const { key, size } = one;
      const open = () => this.#terms.port.call('chat.keptFile', { id, file, key, size });
      return new OutgoingFile(`file ${this.#made++}`, { kept: one, open }, this.#fileTerms);
    });
    return this.#group({ ...message, id, files, kept: 'yes' });
  }

  #group(given: Pick<Group, 'id' | 'at' | 'text' | 'replyTo' | 'to' | 'files' | 'kept'>): Group {
    const still = { isFailed: false, isWriting: false, isSaving: false, isOver: false };
    const group: Group = { ...given, ...still, keeping: Promise.resolve() };
    for (const one of group.files)
      one.begun = async () => {
        // While its files are being kept, that comes with the rest.
        if (group.isSaving) await group.keeping;
        if (group.kept === 'yes' && !group.isOver) await this.#save(group).catch(() => undefined);
      };
    return group;
  }

  /** Files first: a message is only kept with all of them. */
  async #keep(group: Group): Promise<void> {
    group.kept = 'soon';
    const isNeeded = (): boolean => !group.isOver && !group.isWriting;
    try {
      await Promise.all(group.files.map((one) => one.sealed));
      for (const [file, one] of group.files.entries())
        for (let piece = 0; !one.isKept && !one.isUp; piece++) {
          const sealed = await one.handle;
          if (!isNeeded() || one.isUp) break;
          if (sealed === null) throw new Error('it could not be read');
          const { handle } = sealed;
          const { isLast } = await this.#terms.port.call('chat.keepPiece', { id: group.id, file, handle, piece });
          one.isKept = isLast;
        }
      if (!isNeeded()) return;
      group.isSaving = true;
      await this.#save(group);
      group.kept = 'yes';
    } catch {
      group.kept = 'no';
      // A part of it is of no use, and takes the room of others, and of what is written.
      for (const one of group.files) one.isKept = false;
      await this.#terms.port.call('chat.dropSent', { id: group.id }).catch(() => undefined);
    }
    group.isSaving = false;
    this.#terms.changed();
  }

  async #save({ id, at, text, replyTo, to, files }: Group): Promise<void> {
    const kept: z.infer<typeof Kept> = { at, text, replyTo, to, files: files.map((one) => one.kept!) };
    await this.#terms.port.call('chat.keepSent', { id, message: JSON.stringify(kept) });
  }

  /** Writes what is ready, in the order in which it was sent. */
  #look(): void {
    for (const group of this.#groups) {
      if (group.files.some((one) => one.hasFailed)) group.isFailed = true;
      if (group.isWriting) break;
      if (group.isFailed) continue;
      if (!group.files.every((one) => one.isUp)) break;
      void this.#write(group);
      break;
    }
    this.#terms.changed();
  }

  async #write(group: Group): Promise<void> {
    group.isWriting = true;
    await group.keeping;
    const { id, text, replyTo, to, files, kept } = group;
    const sent = kept === 'yes' ? id : null;
    const bodies = files.map((one) => one.body);
    const isWritten =
      !group.isOver && (await this.#terms.write({ text, replyTo, to }, bodies, sent).catch(() => false));
    group.isWriting = false;
    if (group.isOver) return;
    group.isFailed = !isWritten;
    if (isWritten) {
      this.#groups = this.#groups.filter((one) => one !== group);
      for (const one of files) one.close();
      if (sent === null) void this.#drop(group);
    } else group.keeping = this.#keep(group); // Also anew: that it is gone may be why.
    this.#look();
  }

  /** What is kept of it. @returns whether it is gone */
  async #drop(group: Group): Promise<boolean> {
    await group.keeping;
    return this.#terms.port.call('chat.dropSent', { id: group.id }).then(
      () => true,
      () => false,
    );
  }
}

/** 16 random bytes, base64url. */
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}
