/**
 * The keeper of one invite at a time: what link, password and this browser's keys can prove, open and sign.
 *
 * It answers the page's calls up to the join and then hands over to the session. Nothing secret leaves it but what the page
 * gave it or has to show: an invite's secret. Leaving, or opening another invite, wipes what was open.
 */
import type { Bytes } from '../../crypto/bytes.ts';
import { base64url, equal, fromBase64url, utf8, wipe } from '../../crypto/bytes.ts';
import { CryptoError } from '../../crypto/errors.ts';
import type { PendingJoin } from '../../crypto/group.ts';
import { prepareJoin } from '../../crypto/group.ts';
import { deriveLinkKeys, meetingIdOf, openName, sealName } from '../../crypto/invite.ts';
import { random, signKeyPair, stretch } from '../../crypto/primitives.ts';
import { signText } from '../../crypto/signed.ts';
import { DEFAULT_CHAT_TERMS, HostState, labels, proofText, type Signed } from '../../signal/protocol/documents.ts';
import type { MeetingId, PeerId } from '../../signal/protocol/ids.ts';
import type { Access, CheckedRecord } from './access.ts';
import type { ChatTerms } from './chat/keeper.ts';
import { checkRecord, deriveAccess, jsonOf, titleOf } from './access.ts';
import type { ChatKeysTerms } from './chat/keys.ts';
import { Host, makeTerms } from './host.ts';
import type { Calls } from './messages.ts';
import { Refused } from './refused.ts';
import { HostStates } from './session/hostStates.ts';
import type { ChatOfGroup, Rotation, SessionTerms } from './session/terms.ts';
import type { HostSecrets, Vault } from './vault.ts';

/** As bodies.ts takes it; the page asks for less. */
const MAX_NAME = 80;

type ChatOfInvite = Pick<ChatTerms, 'meeting' | 'identity' | 'host' | 'access' | 'word'> &
  Pick<ChatKeysTerms, 'newcomers'>;

interface Opened {
  readonly meeting: MeetingId;
  /** Of the newest generation that we know. */
  secret: Bytes;
  stretched: { readonly salt: string; readonly bytes: Bytes } | null;
  /** The peer that this tab was last: what the password turned into is kept for it. */
  tab: PeerId | null;
  host: HostSecrets | null;
  /** The newest word of a host that this browser has heard. */
  decided: HostState | null;
  checked: CheckedRecord | null;
  title: string;
  access: Access | null;
  /** Identities met before this invite was opened. */
  known: ReadonlySet<string> | null;
  leaf: { readonly pending: PendingJoin; readonly name: string; readonly replaces: Bytes | null } | null;
}

export class Keeper {
  readonly #vault: Vault;
  /** Milliseconds since 1970. */
  readonly #now: () => number;
  #opened: Opened | null = null;

  constructor(vault: Vault, now: () => number) {
    this.#vault = vault;
    this.#now = now;
  }

  /** The open invite's meeting has its host key in this browser. */
  get isHost(): boolean {
    return this.#opened !== null && this.#opened.host !== null;
  }

  async create({ title, password, settings }: Calls['meeting.create']['in']): Promise<Calls['meeting.create']['out']> {
    const hostKey = await signKeyPair();
    const meeting = (await meetingIdOf(hostKey.publicKey)) as MeetingId;
    const salt = random(16);
    const stretched = password === null ? null : await stretch(password, salt);
    const { record, access, secret } = await makeTerms(hostKey, {
      meeting,
      generation: 0,
      title,
      settings,
      password: stretched && { stretched, salt: base64url(salt) },
      createdAt: Math.floor(this.#now()),
    });
    try {
      await this.#vault.keepHost(meeting, { seed: hostKey.privateKey.slice(), sequence: 0, rotation: null });
    } catch {
      throw new Refused('storage', 'the host secret could not be kept');
    }
    wipe(hostKey.privateKey, ...(stretched ? [stretched] : []));
    return { meeting, secret: base64url(secret), record, access };
  }

  async open({ meeting, secret, before }: Calls['invite.open']['in']): Promise<Calls['invite.open']['out']> {
    this.close();
    const host = await this.#vault.host(meeting);
    const bytes = fromBase64url(secret);
    if (bytes.length !== 32) throw new Refused('usage', 'an invite secret has 32 bytes');
    this.#opened = {
      meeting,
      secret: (await this.#secretBeforeRotation(meeting, host)) ?? bytes,
      stretched: null,
      tab: before,
      host,
      decided: null,
      checked: null,
      title: '',
      access: null,
      known: null,
      leaf: null,
    };
    return { host: host !== null };
  }

  async proveLink({ challenge }: { challenge: string }): Promise<{ signature: string }> {
    const { meeting, secret } = this.#need();
    const { linkKey, titleKey } = await deriveLinkKeys(secret, meeting);
    const signature = await signText(labels.proveLink, proofText(meeting, challenge), linkKey.privateKey);
    wipe(linkKey.privateKey, titleKey);
    return { signature: base64url(signature) };
  }

  async acceptRecord({ record }: { record: Signed }): Promise<Calls['invite.acceptRecord']['out']> {
    const opened = this.#need();
    try {
      const checked = await checkRecord(opened.meeting, record);
      opened.title = await titleOf(opened.meeting, opened.secret, checked);
      opened.checked = checked;
    } catch (error) {
      throw error instanceof CryptoError ? new Refused('forged', 'the record does not hold') : error;
    }
    const { title, checked } = opened;
    return { title, needsPassword: await this.#needsPassword(opened, checked), record: checked.record };
  }

  /** @param given.password null where there is none, or where this worker has stretched it before */
  async proveAccess(given: Calls['invite.proveAccess']['in']): Promise<{ signature: string }> {
    const opened = this.#need();
    const { meeting, checked, secret } = opened;
    if (checked === null) throw new Refused('notReady', 'no record has been accepted');
    const stretched = await this.#stretched(opened, checked, given.password);
    // Without a new password it is what a running session holds already: a server that forgot us asks once more.
    if (given.password !== null || opened.access?.signed.body !== checked.signed.body) {
      opened.access?.wipe();
      opened.access = await deriveAccess(meeting, checked, { secret: secret.slice(), stretched });
    }
    const { privateKey } = opened.access.accessKey;
    const signature = await signText(labels.proveAccess, proofText(meeting, given.challenge), privateKey);
    return { signature: base64url(signature) };
  }

  /**
   * Without the server, by the public half of the access key.
   * @param given.password as for `proveAccess`
   */
  async unlock(given: { password: string | null }, accessPublicKey: Bytes): Promise<void> {
    const opened = this.#need();
    const { meeting, checked, secret } = opened;
    if (checked === null) throw new Refused('notReady', 'no record has been accepted');
    const stretched = await this.#stretched(opened, checked, given.password);
    const access = await deriveAccess(meeting, checked, { secret: secret.slice(), stretched });
    if (!equal(access.accessKey.publicKey, accessPublicKey)) {
      access.wipe();
      opened.stretched = null;
      throw new Refused('badPassword', 'another password');
    }
    opened.access?.wipe();
    opened.access = access;
  }

  async openLobby({ peers, hostState }: Calls['lobby.open']['in']): Promise<Calls['lobby.open']['out']> {
    const { opened, meeting, access } = this.#needAccess();
    const open = async (name: string): Promise<string | null> => {
      try {
        return await openName(access.metadataKey, meeting, fromBase64url(name));
      } catch {
        return null;
      }
    };
    const states = await HostStates.open({
      meeting,
      hostPublicKey: access.hostPublicKey,
      known: await this.#vault.hostState(meeting),
      keep: (state) => this.#keepHostState(opened, state),
    });
    // What no host has signed, or what is older, changes nothing here; the session says so aloud when it hears it.
    if (hostState !== null) await states.accept(hostState);
    return { names: await Promise.all(peers.map(({ name }) => open(name))), chat: states.state?.chat ?? null };
  }

  async prepare(given: Calls['peer.prepare']['in']): Promise<Calls['peer.prepare']['out']> {
    const { opened, meeting, access } = this.#needAccess();
    const name = given.name.slice(0, MAX_NAME);
    const pending = await prepareJoin({ meetingId: meeting, identity: await this.#vault.identity() });
    const peer = pending.peer as PeerId;
    const replaces = given.replaces === null ? null : await this.#vault.leafKey(given.replaces);
    await this.#vault.keepLeafKey(peer, pending.leafKey);
    const signature = await pending.sign(labels.provePeer, utf8(proofText(meeting, given.challenge, peer)));
    opened.leaf?.pending.wipe();
    opened.leaf = { pending, name, replaces };
    return {
      peer,
      leafKey: base64url(pending.leafKey),
      signature: base64url(signature),
      name: base64url(await sealName(access.metadataKey, meeting, name)),
    };
  }

  /** What a session needs; the prepared leaf goes over to it. */
  async terms(chat: ChatOfGroup): Promise<SessionTerms> {
    const { opened, meeting, access } = this.#needAccess();
    const { leaf, host } = opened;
    if (leaf === null) throw new Refused('notReady', 'no leaf has been prepared');
    opened.leaf = null;
    this.#keepForReload(opened, leaf.pending.peer as PeerId);
    const known = (opened.known ??= new Set((await this.#vault.met()).keys()));
    return {
      meeting,
      title: opened.title,
      identity: await this.#vault.identity(),
      name: leaf.name,
      pending: leaf.pending,
      replaces: leaf.replaces,
      access,
      host: host && (await this.#host(opened, host)),
      rotation: await this.#unfinished(opened),
      keepRotation: (next) =>
        this.#keepHost(opened, { rotation: next && { ...next, before: opened.secret.slice(), tried: false } }),
      hostState: await this.#vault.hostState(meeting),
      keepHostState: (state) => this.#keepHostState(opened, state),
      chat,
      renewed: (next) => {
        opened.secret = next.secret.slice();
        opened.access?.wipe();
        opened.access = next;
      },
      meet: (identity) => {
        void this.#vault.meet(identity, this.#now());
        return known.has(identity);
      },
    };
  }

  /** Of the open invite. */
  get meeting(): MeetingId {
    return this.#need().meeting;
  }

  /** What the chat needs of the open invite. */
  async chatTerms(): Promise<ChatOfInvite> {
    const { opened, meeting, access } = this.#needAccess();
    // Checked once more: what lies on a disk is no host's word.
    const states = await HostStates.open({
      meeting,
      hostPublicKey: access.hostPublicKey,
      known: await this.#vault.hostState(meeting),
      keep: (state) => this.#keepHostState(opened, state),
    });
    const current = () => opened.access ?? access;
    const terms = () => opened.decided?.chat ?? current().record.settings.chat ?? DEFAULT_CHAT_TERMS;
    return {
      meeting,
      identity: await this.#vault.identity(),
      host: opened.host !== null,
      access: current,
      newcomers: () => terms().newcomers,
      word: {
        hear: (state) => states.accept(state),
        decided: () => opened.decided,
        terms,
      },
    };
  }

  /** The newest, whoever brought it: session, lobby and chat hear of it on their own. @param state of a host, checked */
  #keepHostState(opened: Opened, state: Signed): void {
    const { data } = HostState.safeParse(jsonOf(state.body));
    if (data === undefined || data.version < (opened.decided?.version ?? 0)) return;
    opened.decided = data;
    void this.#vault.keepHostState(opened.meeting, state);
  }

  async replaceIdentity(): Promise<object> {
    if (this.#opened?.leaf) this.#opened.leaf.pending.wipe();
    if (this.#opened) this.#opened.leaf = null;
    try {
      await this.#vault.replaceIdentity();
    } catch {
      throw new Refused('storage', 'the new identity could not be kept');
    }
    return {};
  }

  /** A reload of this tab is a new visit from now on. */
  forgetTab(): void {
    const tab = this.#opened?.tab ?? null;
    if (tab !== null) void this.#vault.forgetTabSecret(tab, this.#now());
  }

  /** Wipes what is open. Idempotent. */
  close(): void {
    this.forgetTab();
    const opened = this.#opened;
    this.#opened = null;
    if (opened === null) return;
    opened.access?.wipe();
    opened.leaf?.pending.wipe();
    wipe(
      opened.secret,
      ...(opened.stretched ? [opened.stretched.bytes] : []),
      ...(opened.host ? [opened.host.seed] : []),
    );
  }

  async #needsPassword(opened: Opened, { record }: CheckedRecord): Promise<boolean> {
    const { meeting, tab } = opened;
    const { salt } = record;
    if (salt === undefined) return false;
    if (opened.stretched !== null || tab === null) return true;
    const bytes = await this.#vault.tabSecret({ meeting, peer: tab, salt }, this.#now());
    if (bytes !== null) opened.stretched = { salt, bytes };
    return bytes === null;
  }

  /** Whoever is let in has given the right password: the server has seen the proof. */
  #keepForReload(opened: Opened, peer: PeerId): void {
    const gone = opened.tab === null ? [] : [opened.tab];
    opened.tab = peer;
    if (opened.stretched === null) return;
    const { salt, bytes } = opened.stretched;
    const terms = { meeting: opened.meeting, peer, salt };
    void this.#vault.keepTabSecret(terms, bytes, { gone, now: this.#now() });
  }

  async #stretched(opened: Opened, { record }: CheckedRecord, password: string | null): Promise<Bytes | null> {
    const { salt } = record;
    if (salt === undefined) return null;
    if (password !== null) opened.stretched = { salt, bytes: await stretch(password, fromBase64url(salt)) };
    if (opened.stretched?.salt !== salt) throw new Refused('badPassword', 'a password is needed');
    return opened.stretched.bytes;
  }

  /** A host whose rotation was interrupted cannot know whether the server heard of it: it tries the old secret, then the new. */
  async #secretBeforeRotation(meeting: MeetingId, host: HostSecrets | null): Promise<Bytes | null> {
    if (host === null || host.rotation === null) return null;
    const { rotation } = host;
    await this.#vault.keepHost(meeting, { rotation: { ...rotation, tried: !rotation.tried } }).catch(() => undefined);
    return rotation.tried ? rotation.secret.slice() : rotation.before.slice();
  }

  /** The rotation that members know and the server does not: it does if its record is that generation's. */
  async #unfinished(opened: Opened): Promise<Rotation | null> {
    const rotation = opened.host?.rotation ?? null;
    if (rotation === null || rotation.record.body === opened.checked?.signed.body) return null;
    if (!rotation.offered) return rotation;
    // The commit that it went along with was never ordered: nobody knows of it.
    await this.#keepHost(opened, { rotation: null });
    return null;
  }

  async #host(opened: Opened, host: HostSecrets): Promise<Host> {
    return new Host(await signKeyPair(host.seed.slice()), opened.meeting, {
      lastSequence: host.sequence,
      keep: (sequence) => this.#keepHost(opened, { sequence }),
    });
  }

  async #keepHost(opened: Opened, change: Partial<HostSecrets>): Promise<void> {
    if (opened.host === null) return;
    opened.host = { ...opened.host, ...change };
    if (this.#opened === opened) await this.#vault.keepHost(opened.meeting, change);
  }

  #need(): Opened {
    if (this.#opened === null) throw new Refused('notReady', 'no invite is open');
    return this.#opened;
  }

  #needAccess(): { opened: Opened; meeting: MeetingId; access: Access } {
    const opened = this.#need();
    const { meeting, access } = opened;
    if (access === null) throw new Refused('notReady', 'no password has been given');
    return { opened, meeting, access };
  }
}
