/**
 * What the home screen needs: make a meeting, find where a pasted link leads, and the meetings that this browser knows.
 */
import { ProtocolError } from '../../signal/protocol/errors.ts';
import type { MeetingId } from '../../signal/protocol/ids.ts';
import { DEFAULT_CHAT_TERMS, type Settings } from '../../signal/protocol/documents.ts';
import type { Port } from '../e2ee/port.ts';
import { createMeeting } from '../net/api.ts';
import { inviteUrl, readInvite } from '../net/links.ts';
import { OfflineError } from '../net/offline.ts';
import { doneRemoving, forgetMeeting, knownMeetings, knowMeeting, removedMeetings } from './known.ts';
import { settingsOf } from './settings.ts';
import type { HomeFacade, KnownMeeting, RelayState } from './view.ts';

class Home implements HomeFacade {
  readonly usualChat = DEFAULT_CHAT_TERMS;
  #known = $state.raw<readonly KnownMeeting[]>(knownMeetings());
  #creating = $state(false);
  #problem = $state<HomeFacade['problem']>(null);

  constructor() {
    void this.#remove();
  }

  get known(): readonly KnownMeeting[] {
    return this.#known;
  }
  get creating(): boolean {
    return this.#creating;
  }
  get problem(): HomeFacade['problem'] {
    return this.#problem;
  }

  async create({ title, password, only, chat }: Parameters<HomeFacade['create']>[0]): Promise<string | null> {
    if (this.#creating) return null;
    this.#creating = true;
    this.#problem = null;
    try {
      const { meeting, secret } = await make(title, password, settingsOf(only, chat));
      const url = inviteUrl(location.origin, meeting, secret);
      knowMeeting({ meeting, title, url, host: true, lastUsed: Date.now() });
      this.#known = knownMeetings();
      return url;
    } catch (error) {
      this.#problem = problemOf(error);
      return null;
    } finally {
      this.#creating = false;
    }
  }

  async relay(): Promise<RelayState | null> {
    try {
      return await (await import('../net/health.ts')).relayState();
    } catch {
      return null;
    }
  }

  resolve(text: string): { url: string; hasSecret: boolean } | null {
    const invite = readInvite(text);
    return (
      invite && { url: inviteUrl(location.origin, invite.meeting, invite.secret), hasSecret: invite.secret !== null }
    );
  }

  forget(meeting: MeetingId): void {
    forgetMeeting(meeting);
    this.#known = knownMeetings();
    void this.#remove();
  }

  /** What this browser keeps of the chats of meetings that were forgotten, now or when the page was closed too soon. */
  async #remove(): Promise<void> {
    const removed = removedMeetings();
    if (removed.length === 0) return;
    // Where it does not come to that, it is done the next time.
    await withPort(async (port) => {
      for (const meeting of removed) {
        await port.call('meeting.forget', { meeting });
        doneRemoving(meeting);
      }
    }).catch(() => undefined);
  }

  async replaceIdentity(): Promise<boolean> {
    try {
      await withPort((port) => port.call('identity.replace', {}));
      return true;
    } catch {
      return false;
    }
  }
}

/** Keys are made in a worker of their own, which keeps them and then ends. Loaded only now: most visitors follow a link. */
async function withPort<T>(work: (port: Port) => Promise<T>): Promise<T> {
  const { createPort } = await import('../e2ee/port.ts');
  const port = createPort();
  try {
    return await work(port);
  } finally {
    port.terminate();
  }
}

function make(
  title: string,
  password: string | null,
  settings: Settings,
): Promise<{ meeting: MeetingId; secret: string }> {
  return withPort(async (port) => {
    const { meeting, secret, ...terms } = await port.call('meeting.create', { title, password, settings });
    await createMeeting(terms);
    return { meeting, secret };
  });
}

function problemOf(error: unknown): NonNullable<HomeFacade['problem']> {
  if (error instanceof OfflineError) return { reason: 'offline', code: 'offline' };
  if (error instanceof ProtocolError)
    return { reason: error.code === 'tooMany' ? 'tooMany' : 'internal', code: `server.${error.code}` };
  const { code } = error as { code?: unknown };
  if (code === 'storage') return { reason: 'storage', code: 'worker.storage' };
  return { reason: 'internal', code: typeof code === 'string' ? `worker.${code}` : 'page' };
}

export function createHomeFacade(): HomeFacade {
  return new Home();
}
