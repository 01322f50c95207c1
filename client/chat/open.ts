/** Joins a chat on the screen with the meeting's connection and worker. Loaded when somebody wants it, with all that it needs. */
import { ChatPush, chatRequests } from '../../signal/protocol/chat.ts';
import type { ChatHead, ChatTerms } from '../../signal/protocol/documents.ts';
import type { ChatLink } from '../meeting/chatLink.ts';
import { ChatOnScreen } from './chat.svelte.ts';
import type { ChatFacade } from './view.ts';

/** What of a meeting's runner the chat needs. */
export interface ChatHolder {
  readonly chat: ChatLink;
  readonly chatTerms: ChatTerms | null;
  readonly isLive: boolean;
}

export interface ChatHolderEvents {
  readonly name: () => string;
  readonly shown: (chat: ChatFacade) => void;
  readonly ended: () => void;
  readonly setTerms: (terms: ChatTerms) => void;
  /** Deletes what the server keeps, up to there. */
  readonly clear: (upTo: ChatHead) => void;
}

/** @throws CallError where the worker cannot open it */
export async function openChat(holder: ChatHolder, events: ChatHolderEvents): Promise<void> {
  let screen: ChatOnScreen | null = null;
  let isUp = false;
  let servers: readonly RTCIceServer[] | null = null;
  const ways = holder.chat.join({
    up: () => {
      isUp = true;
      screen?.up();
    },
    down: () => {
      isUp = false;
      screen?.down();
    },
    renewed: () => screen?.renewed(),
    keys: () => screen?.keysMoved(),
    direct: (allowed) => {
      servers = allowed;
      screen?.allowDirect(allowed);
    },
    refresh: () => screen?.refresh(),
    pushed: (push) => {
      const parsed = ChatPush.safeParse(push);
      if (parsed.success) screen?.pushed(parsed.data);
    },
    ended: () => {
      screen?.close();
      events.ended();
    },
    schemaOf: (name) => chatRequests[name].result as never,
  });
  if (ways === null) return;
  screen = new ChatOnScreen({
    ...ways,
    name: events.name,
    terms: () => holder.chatTerms,
    isLive: () => holder.isLive,
    setTerms: events.setTerms,
    clear: events.clear,
    openDirect: async (terms) => {
      const { WebrtcWay } = await import('./providers/webrtc.ts');
      return new WebrtcWay(terms);
    },
  });
  screen.allowDirect(servers);
  if (isUp) screen.up();
  events.shown(screen);
  await screen.open();
}
