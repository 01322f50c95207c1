/**
 * The product's chat without its screens: the meeting's own runner, worker and socket, and on these the chat.
 *
 * Served by the real server, so that address, CSP and socket are those of the product.
 */
import { Chat } from '../../../client/chat/chat.ts';
import { openChat } from '../../../client/chat/open.ts';
import type { DirectWay } from '../../../client/chat/providers/direct.ts';
import type { ChatFacade } from '../../../client/chat/view.ts';
import { createPort } from '../../../client/e2ee/port.ts';
import { Runner } from '../../../client/meeting/effects.ts';
import { createMeeting } from '../../../client/net/api.ts';
import { ChatPush, chatRequests } from '../../../signal/protocol/chat.ts';
import type { MeetingId } from '../../../signal/protocol/ids.ts';

export interface Entrance {
  readonly meeting: MeetingId;
  readonly secret: string;
}

export interface ProductChat {
  create(): Promise<Entrance>;
  /** Resolves once link and password are proven; with a name, once we are in the meeting. */
  enter(entrance: Entrance, name: string | null): Promise<void>;
  /** The chat alone, without what draws it. Resolves once the server's log is taken in. @param direct  by both ways, as in the product; else by the server alone */
  open(direct: boolean): Promise<{ self: string }>;
  /** Resolves once there is a connection for the direct way. */
  isDirect(): Promise<void>;
  /** @returns when `write` was called, milliseconds since 1970 */
  say(text: string): number;
  /** @returns when it was there with its author proven, and who that is */
  heard(text: string): Promise<{ at: number; author: string }>;
  /** How many entries there are, and what is wrong with them. */
  state(): { count: number; alarms: readonly string[] };
  /**
   * Opens the chat as the screens do, and waits for so many messages in what they would draw.
   * @returns milliseconds, and a sum over all texts
   */
  readAll(count: number): Promise<{ ms: number; sum: number; authors: number; alarms: readonly string[] }>;
}

declare global {
  var productChat: ProductChat;
}

const now = (): number => performance.timeOrigin + performance.now();

let runner: Runner;
let chat: Chat;
let way: DirectWay | null = null;
let changed: (() => void)[] = [];

/** @returns once it holds; asked again whenever something is another */
function holds(condition: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (!condition()) return;
      changed = changed.filter((one) => one !== look);
      resolve();
    };
    changed.push(look);
    look();
  });
}

function notify(): void {
  for (const look of changed) look();
}

/** Texts of others by when they were first seen. */
const seen = new Map<string, { at: number; author: string }>();
/** Of the newest: a message may come between others. */
const LOOKED_AT = 8;

globalThis.productChat = {
  async create() {
    const port = createPort();
    const settings = { meshLimit: 4, capacity: 6 };
    const { meeting, secret, ...terms } = await port.call('meeting.create', {
      title: 'Bench',
      password: null,
      settings,
    });
    await createMeeting(terms);
    port.terminate();
    return { meeting, secret };
  },
  async enter({ meeting, secret }, name) {
    runner = new Runner({
      meeting,
      secret,
      name: name ?? '',
      socketUrl: `${location.origin.replace('http', 'ws')}/ws`,
      createPort,
      on: {
        changed: notify,
        notice: () => undefined,
        address: () => undefined,
        know: () => undefined,
        idle: () => undefined,
      },
    });
    await holds(() => runner.state.at === 'lobby' && runner.chat.isReady);
    if (name === null) return;
    runner.input({ type: 'join', name });
    await holds(() => runner.state.at === 'live');
  },
  async open(direct) {
    let isUp = false;
    let servers: readonly RTCIceServer[] | null = null;
    const ways = runner.chat.join({
      up: () => {
        isUp = true;
        chat?.up();
      },
      down: () => chat?.down(),
      renewed: () => chat?.renewed(),
      keys: () => chat?.keysMoved(),
      direct: (allowed) => {
        servers = allowed;
        chat?.allowDirect(allowed);
      },
      refresh: () => undefined,
      pushed: (push) => chat?.signal.pushed(ChatPush.parse(push)),
      ended: () => undefined,
      schemaOf: (name) => chatRequests[name].result as never,
    });
    if (ways === null) throw new Error('link and password are not proven');
    chat = await Chat.open({
      ...ways,
      name: () => 'Anna',
      changed: () => {
        const at = now();
        for (const { text, author } of chat?.thread.said.slice(-LOOKED_AT) ?? [])
          if (!seen.has(text)) seen.set(text, { at, author });
        notify();
      },
      now: Date.now,
      after: (ms, run) => {
        const timer = setTimeout(run, ms);
        return () => clearTimeout(timer);
      },
      random: () => crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32,
      openDirect: direct
        ? async (terms) => {
            const { WebrtcWay } = await import('../../../client/chat/providers/webrtc.ts');
            return (way = new WebrtcWay(terms));
          }
        : null,
    });
    chat.allowDirect(servers);
    if (isUp) chat.up();
    await holds(() => chat.signal.state === 'online');
    return { self: chat.self };
  },
  async isDirect() {
    while (way?.state !== 'online') await new Promise((resolve) => setTimeout(resolve, 50));
  },
  say(text) {
    const at = now();
    chat.write([{ is: 'say', text }]).catch((error: unknown) => globalThis.reportError(error));
    return at;
  },
  async heard(text) {
    await holds(() => seen.has(text));
    return seen.get(text)!;
  },
  state: () => ({ count: chat.thread.said.length, alarms: chat.alarms.map(({ is }) => is) }),
  async readAll(count) {
    const from = performance.now();
    let facade: ChatFacade | null = null;
    await openChat(runner, {
      name: () => '',
      shown: (shown) => (facade = shown),
      ended: () => undefined,
      setTerms: () => undefined,
      clear: () => undefined,
    });
    const view = () => facade!.view;
    while (view().messages.length < count) await new Promise((resolve) => requestAnimationFrame(resolve));
    const ms = performance.now() - from;
    const { messages, alarms } = view();
    const sum = messages.reduce((sum, { text }) => sum + Number(text.split(' ')[1]), 0);
    return {
      ms,
      sum,
      authors: new Set(messages.map(({ author }) => author.id)).size,
      alarms: alarms.map(({ is }) => is),
    };
  },
};
