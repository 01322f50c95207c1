/**
 * The meeting as the screens see it: one snapshot, replaced whole, and the person's intents.
 *
 * Only this module joins machine, media and devices; screens import it and nothing behind it.
 */
import { untrack } from 'svelte';
import { createPort, canTransform } from '../e2ee/port.ts';
import { trackKinds } from '../e2ee/messages.ts';
import { Devices, type DeviceEvent } from '../media/devices.svelte.ts';
import { recall, remember } from '../media/remembered.ts';
import { inviteUrl } from '../net/links.ts';
import type { ChatFacade } from '../chat/view.ts';
import type { MeetingId, PeerId } from '../../signal/protocol/ids.ts';
import { Runner } from './effects.ts';
import { knowMeeting } from './known.ts';
import { initial, step } from './machine.ts';
import { Notices } from './notices.svelte.ts';
import { present } from './present.ts';
import type { presentLive, Surroundings } from './presentLive.ts';
import { OURSELVES, Speaking } from './speaking.ts';
import { watchPage } from './watchPage.ts';
import type { DevicesFacade, MeetingFacade, MeetingView, NoticeView, ShownPicture } from './view.ts';

export interface MeetingOptions {
  meeting: MeetingId;
  /** The invite secret of the link's fragment; null where only the id is known. */
  secret: string | null;
  /** From `createDevicesFacade`. */
  devices: DevicesFacade;
}

/** What is said where a wish came to nothing. */
const FAILED = {
  'host.remove': 'removeFailed',
  'host.lock': 'lockFailed',
  'host.chatTerms': 'chatTermsFailed',
  'host.clearChat': 'chatClearFailed',
  'host.end': 'endFailed',
  'group.goOn': 'goOnFailed',
} as const satisfies Record<Parameters<Runner['ask']>[0], NoticeView['key']>;

/** Nobody looks at the lobby longer than this for it. */
const ENTER_MS = 120;
/** Others' pictures come first. */
const CHAT_MS = 1500;
/** What could not be loaded, or opened, is tried again. */
const CHAT_AGAIN_MS = 5000;
/** A pause in typing a name. */
const TYPING_MS = 300;

class Meeting implements MeetingFacade {
  readonly #options: MeetingOptions;
  readonly #devices: Devices;
  #view = $state.raw<MeetingView>({ at: 'opening', slow: false });
  readonly #notices = new Notices();
  #chat = $state.raw<ChatFacade | null>(null);
  #wantsChat = false;
  #chatDue: ReturnType<typeof setTimeout> | undefined;
  #name = $state(recall().name ?? '');
  #needsGesture = false;
  #presentLive: typeof presentLive | null = null;
  /** When the meeting's screen is put up, while it is not. */
  #entering: 'soon' | 'now' | null = null;
  readonly #ownSpeaking = new Speaking(OURSELVES);
  readonly #runner: Runner | null;
  readonly #ends: (() => void)[] = [];
  /** The microphone was off before it was held to talk. */
  #holding = false;
  #destroyed = false;
  #typing: ReturnType<typeof setTimeout> | undefined;

  constructor(options: MeetingOptions) {
    this.#options = options;
    if (!(options.devices instanceof Devices)) throw new TypeError('devices must come from createDevicesFacade');
    this.#devices = options.devices;
    const unfit = this.#unfit();
    if (unfit !== null || options.secret === null) {
      const [state] = step(
        initial(options.meeting, this.#name, Date.now()),
        { type: 'unfit', reason: unfit ?? 'needsLink' },
        Date.now(),
      );
      this.#runner = null;
      if (state.at !== 'live') this.#view = present(state, Date.now());
      return;
    }
    this.#runner = this.#run(options.secret);
    this.#watch(this.#runner);
    this.#refresh();
  }

  get view(): MeetingView {
    return this.#view;
  }
  get notices(): readonly NoticeView[] {
    return this.#notices.list;
  }
  get chat(): ChatFacade | null {
    return this.#chat;
  }
  get name(): string {
    return this.#name;
  }
  set name(name: string) {
    this.#name = name;
    remember({ name: name.slice(0, 80) });
    // Once the typing has stopped.
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => this.#prepareAhead(), TYPING_MS);
  }

  submitPassword(password: string): void {
    this.#runner?.input({ type: 'password', password });
  }
  join(): void {
    this.#runner?.input({ type: 'join', name: this.#name.trim() });
  }
  openChat(): void {
    this.#wantsChat = true;
    this.#tryChat();
  }
  toggleMicrophone(): Promise<boolean> {
    return this.#toggle('microphone');
  }
  toggleCamera(): Promise<boolean> {
    return this.#toggle('camera');
  }
  toggleScreen(): void {
    if (this.#devices.sharing) return this.#devices.endShare();
    void this.#devices.share().then((done) => {
      if (!done) this.#notices.add({ key: 'shareFailed', tone: 'warning' });
    });
  }
  toggleHand(): void {
    if (this.#runner) this.#runner.raiseHand(!this.#runner.handRaised);
  }
  holdToTalk(down: boolean): void {
    if (down === this.#holding || (down && this.#devices.microphone.on)) return;
    this.#holding = down;
    void this.#devices.setOn('microphone', down);
  }
  leave(): void {
    this.#devices.endShare();
    this.#runner?.input({ type: 'leave' });
  }
  rejoin(): void {
    this.#runner?.input({ type: 'rejoin', name: this.#name.trim() });
  }
  goOn(): void {
    this.#ask('group.goOn', {});
  }
  show(pictures: readonly ShownPicture[]): void {
    this.#runner?.show(pictures);
  }
  resumePlayback(): void {
    this.#needsGesture = false;
    this.#refresh();
  }
  removePeer(peer: PeerId): void {
    this.#ask('host.remove', { peer });
  }
  setLocked(locked: boolean): void {
    this.#ask('host.lock', { locked });
  }
  endForAll(): void {
    this.#ask('host.end', {});
  }
  dismiss(notice: number): void {
    this.#notices.dismiss(notice);
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    clearTimeout(this.#typing);
    clearTimeout(this.#chatDue);
    for (const end of this.#ends) end();
    this.#devices.endShare();
    this.#runner?.destroy();
    this.#notices.close();
  }

  /** @returns why this page cannot hold a meeting; null if it can */
  #unfit(): 'unsupportedBrowser' | 'insecureOrigin' | null {
    // Checked first: an insecure page lacks the rest only for that reason.
    if (!globalThis.isSecureContext) return 'insecureOrigin';
    const fit = 'RTCPeerConnection' in globalThis && 'Worker' in globalThis && canTransform();
    return fit ? null : 'unsupportedBrowser';
  }

  #run(secret: string): Runner {
    const { meeting } = this.#options;
    const { origin } = location;
    const runner: Runner = new Runner({
      meeting,
      secret,
      name: this.#name,
      socketUrl: `${origin.replace(/^http/, 'ws')}/ws`,
      createPort,
      on: {
        changed: () => this.#refresh(),
        notice: ({ type: _type, ...notice }) => this.#notices.add(notice),
        address: (next) => {
          const url = inviteUrl(origin, meeting, next);
          if (location.pathname === new URL(url).pathname) history.replaceState(history.state, '', url);
          this.#know(next, runner);
        },
        know: (title, host) => {
          const url = inviteUrl(origin, meeting, runner.secret);
          knowMeeting({ meeting, title, url, host, lastUsed: Date.now() });
        },
        idle: (port) => {
          Runner.preload();
          this.#load().catch(() => undefined);
          port.call('rehearse', {}).catch(() => undefined);
          void import('../transport/selfTest.ts')
            .then(({ selfTest }) => selfTest(port))
            .then((result) => {
              if (result === 'clear') runner.input({ type: 'unfit', reason: 'noSealedFrames' });
            })
            .catch(() => undefined);
        },
      },
    });
    return runner;
  }

  #know(secret: string, runner: Runner): void {
    const { state } = runner;
    if (state.at !== 'live' && state.at !== 'lobby') return;
    const { meeting } = this.#options;
    const url = inviteUrl(location.origin, meeting, secret);
    knowMeeting({ meeting, title: state.title, url, host: false, lastUsed: Date.now() });
  }

  #watch(runner: Runner): void {
    // Devices are runes: what they give is published when it changes, and shown.
    this.#ends.push(
      $effect.root(() => {
        $effect(() => {
          const tracks = trackKinds.map((kind) => [kind, this.#devices.track(kind)] as const);
          // Only the tracks are what this depends on: the view that is refreshed is state too.
          untrack(() => {
            for (const [kind, track] of tracks) runner.publish(kind, track);
            this.#refresh();
          });
        });
        $effect(() => {
          const { level } = this.#devices;
          untrack(() => this.#heardOurselves(level));
        });
      }),
      this.#devices.onEvent((event) => this.#deviceEvent(event)),
    );
    const moved = () => runner.input({ type: 'network.changed' });
    this.#ends.push(watchPage({ moved, closing: () => runner.vanish(), tick: () => this.#refresh() }));
  }

  #wasSpeaking = false;
  #heardOurselves(level: number): void {
    const speaking = this.#ownSpeaking.heard(level, performance.now());
    if (speaking === this.#wasSpeaking) return;
    this.#wasSpeaking = speaking;
    this.#runner?.speak(speaking);
    this.#refresh();
  }

  #deviceEvent(event: DeviceEvent): void {
    if (event.type === 'lost') this.#notices.add({ key: 'deviceLost', device: event.kind, tone: 'warning' });
    else if (event.type === 'switched') this.#notices.add({ key: 'deviceSwitched', device: event.kind, tone: 'info' });
    else this.#refresh();
  }

  /** What is on and did not open is off for the person: a press tries it again. */
  async #toggle(kind: 'camera' | 'microphone'): Promise<boolean> {
    const devices = this.#devices;
    const { on, problem } = devices[kind];
    await (on && problem !== null ? devices.retry(kind) : devices.setOn(kind, !on));
    return !devices[kind].on || devices[kind].problem === null;
  }

  #ask(...[name, params]: Parameters<Runner['ask']>): void {
    this.#runner?.ask(name, params).catch(() => this.#notices.add({ key: FAILED[name], tone: 'warning' }));
  }

  #prepareAhead(): void {
    void this.#runner?.prepareAhead(this.#name.trim()).catch(() => undefined);
  }

  /** Opens the chat once that is possible. */
  #tryChat(): void {
    const runner = this.#runner;
    if (!this.#wantsChat || this.#chat !== null || !runner?.chat.isReady) return;
    this.#wantsChat = false;
    import('../chat/open.ts')
      .then(({ openChat }) =>
        openChat(runner, {
          name: () => this.#name.trim(),
          setTerms: (terms) => this.#ask('host.chatTerms', { terms }),
          clear: (upTo) => this.#ask('host.clearChat', { upTo }),
          shown: (chat) => (this.#chat = chat),
          // With the worker: whoever comes in again opens it again.
          ended: () => {
            this.#wantsChat ||= this.#chat !== null;
            this.#chat = null;
          },
        }),
      )
      .catch(() => {
        this.#chat = null;
        if (!this.#destroyed) this.#chatDue = setTimeout(() => this.openChat(), CHAT_AGAIN_MS);
      });
  }

  /** Soon after joining: others' pictures come first. */
  #chatSoon(): void {
    this.#chatDue ??= setTimeout(() => this.openChat(), CHAT_MS);
  }

  #surroundings(): Surroundings {
    const devices = this.#devices;
    const runner = this.#runner;
    const stage = runner?.stage;
    const tracks = Object.fromEntries(
      trackKinds.map((kind) => [kind, devices.track(kind)]),
    ) as Surroundings['own']['tracks'];
    return {
      now: Date.now(),
      inviteUrl: inviteUrl(location.origin, this.#options.meeting, runner?.secret ?? this.#options.secret),
      tracks: stage?.tracks ?? new Map(),
      stats: stage?.stats ?? new Map(),
      speaking: stage?.speaking ?? new Set(),
      shownSince: stage?.shownSince ?? new Map(),
      own: {
        tracks,
        microphoneOn: tracks.microphone !== null,
        cameraOn: tracks.camera !== null,
        handRaised: runner?.handRaised ?? false,
        speaking: this.#wasSpeaking,
      },
      needsGesture: this.#needsGesture,
      only: runner?.only ?? null,
    };
  }

  /** Nothing new until what presents a meeting is loaded. */
  #present(runner: Runner): MeetingView {
    const { state } = runner;
    if (state.at !== 'live') return present(state, Date.now(), runner.only);
    if (this.#presentLive) return this.#presentLive(state, this.#surroundings());
    this.#load().then(
      () => this.#refresh(),
      () => runner.input({ type: 'unfit', reason: 'internal' }),
    );
    return this.#view;
  }

  async #load(): Promise<void> {
    ({ presentLive: this.#presentLive } = await import('./presentLive.ts'));
  }

  /** Putting up a meeting's screen holds up this thread, and connections are being made: they come first. */
  #enter(): void {
    if (this.#entering === 'soon') return;
    this.#entering = 'soon';
    const show = () => {
      this.#entering = 'now';
      this.#refresh();
    };
    if ('requestIdleCallback' in globalThis) requestIdleCallback(show, { timeout: ENTER_MS });
    else setTimeout(show, ENTER_MS);
  }

  #refresh(): void {
    if (!this.#runner || this.#destroyed) return;
    const view = this.#present(this.#runner);
    const wasOpen = this.#view.at === 'lobby' && this.#view.access.at === 'open';
    if (view.at === 'lobby' && view.access.at === 'open' && !wasOpen) queueMicrotask(() => this.#prepareAhead());
    // Sound may play only after a click on this page; after a reload into a meeting there was none.
    if (view.at === 'live' && this.#view.at !== 'live') {
      if (this.#entering !== 'now') return this.#enter();
      this.#needsGesture = navigator.userActivation?.hasBeenActive === false;
    }
    this.#entering = null;
    if (view.at === 'live') this.#chatSoon();
    this.#tryChat();
    this.#view = view.at === 'live' ? { ...view, needsGesture: this.#needsGesture } : view;
  }
}

/** Opens a meeting: starts the worker, the socket and the lobby. `destroy` it when the screen goes. */
export function createMeetingFacade(options: MeetingOptions): MeetingFacade {
  return new Meeting(options);
}
