/**
 * One way between a synthetic member and the relay: ICE, DTLS as its client, SRTP. Packets only.
 *
 * The relay is ICE-lite, has one address and never moves, so of ICE it takes a binding request (RFC 8489) that nominates at once,
 * repeated as a sign of life. A server that is a full agent is told who we are beforehand, and has its own checks answered. DTLS and
 * SRTP are werift's. Nothing is sent again: on loopback nothing is lost unless a socket overflows.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import type { AddressInfo } from 'node:net';
import {
  CipherContext,
  classes,
  DtlsClient,
  HashAlgorithm,
  isDtls,
  isMedia,
  isRtcp,
  isStunMessage,
  keyLength,
  Message,
  methods,
  NamedCurveAlgorithm,
  parseMessage,
  type RtpHeader,
  RtpPacket,
  saltLength,
  SignatureAlgorithm,
  SrtpSession,
} from 'werift';
import type { DtlsParameters, TransportOffer } from '../../../signal/protocol/rtp.ts';

/** Until the first answer. */
const TRY_MS = 200;
/** mediasoup forgets a peer that has not said anything for 30 s. */
const ALIVE_MS = 8000;
/** The relay is on this machine, but the machine may be busy. */
const PATIENCE_MS = 60_000;
/** RFC 8445 §5.1.2: any valid one, there is only one candidate. */
const PRIORITY = 1_862_270_975;
const AES_128_GCM = 7;

type Certificate = Awaited<ReturnType<typeof CipherContext.createSelfSignedCertificateWithKey>>;
/** One for all members of a process: who is who, the keys of frames say. */
let certificate: Promise<Certificate> | undefined;

function ourCertificate(): Promise<Certificate> {
  return (certificate ??= CipherContext.createSelfSignedCertificateWithKey(
    { signature: SignatureAlgorithm.ecdsa_3, hash: HashAlgorithm.sha256_4 },
    NamedCurveAlgorithm.secp256r1_23,
  ));
}

/** What a relay is told of every wire of this process. */
export async function ourDtls(): Promise<DtlsParameters> {
  const { certPem } = await ourCertificate();
  return { role: 'client', fingerprints: [{ algorithm: 'sha-256', value: fingerprint(derOf(certPem)) }] };
}

/** This end of ICE, for a full agent: it has been told these, and checks us by them. */
export interface OwnIce {
  usernameFragment: string;
  password: string;
  /** Where the other end has made the offer (RFC 8445 §6.1.1): it nominates. */
  isControlled: boolean;
}

export class Wire {
  onPacket: (packet: RtpPacket) => void = () => undefined;
  /** Media as they come, in SRTP: who only counts them need not pay for opening each. Takes the place of `onPacket`. */
  onSealed: (() => void) | null = null;
  readonly #socket: Socket;
  readonly #offer: TransportOffer;
  readonly #own: OwnIce | null;
  readonly #ufrag: string;
  readonly #tieBreaker = randomBytes(8).readBigUInt64BE();
  #answered = Promise.withResolvers<void>();
  /** By a full agent. */
  #checked = Promise.withResolvers<void>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #toDtls: (data: Buffer) => void = () => undefined;
  #srtp: SrtpSession | null = null;
  #closed = false;

  private constructor(offer: TransportOffer, socket: Socket, own: OwnIce | null) {
    this.#offer = offer;
    this.#own = own;
    this.#ufrag = own?.usernameFragment ?? randomBytes(4).toString('hex');
    this.#socket = socket;
    socket.on('message', (data) => this.#receive(data));
    socket.on('error', () => undefined);
  }

  /**
   * @param connect tells the relay our DTLS parameters
   * @param own null for a relay that is ICE-lite
   * @throws Error where the relay does not answer, or is not who it said
   */
  static async open(
    offer: TransportOffer,
    connect: (ours: DtlsParameters) => Promise<unknown>,
    own: OwnIce | null = null,
  ): Promise<Wire> {
    const candidate = offer.iceCandidates.find(({ protocol }) => protocol === 'udp');
    if (!candidate) throw new Error('the relay offers no UDP');
    const socket = createSocket(candidate.address.includes(':') ? 'udp6' : 'udp4');
    await new Promise<void>((resolve) => socket.connect(candidate.port, candidate.address, resolve));
    const wire = new Wire(offer, socket, own);
    try {
      await within(wire.#ice(), 'no answer to a binding request');
      await within(wire.#dtls(connect), 'no DTLS');
      return wire;
    } catch (error) {
      wire.close();
      throw error;
    }
  }

  /** At this end. */
  get port(): number {
    return this.#socket.address().port;
  }

  send(header: RtpHeader, payload: Buffer): void {
    if (this.#srtp && !this.#closed) this.#socket.send(this.#srtp.encrypt(payload, header));
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    this.#socket.close();
  }

  async #ice(): Promise<void> {
    this.#bind();
    this.#timer = setInterval(() => this.#bind(), TRY_MS);
    await this.#answered.promise;
    if (this.#own) await this.#checked.promise;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#bind(), ALIVE_MS);
  }

  #bind(): void {
    if (this.#closed) return;
    const { usernameFragment, password } = this.#offer.iceParameters;
    const request = new Message(methods.BINDING, classes.REQUEST)
      .setAttribute('USERNAME', `${usernameFragment}:${this.#ufrag}`)
      .setAttribute('PRIORITY', PRIORITY) as Message;
    if (this.#own?.isControlled) request.setAttribute('ICE-CONTROLLED', this.#tieBreaker);
    else request.setAttribute('ICE-CONTROLLING', this.#tieBreaker).setAttribute('USE-CANDIDATE', null);
    this.#socket.send(request.addMessageIntegrity(Buffer.from(password)).addFingerprint().bytes);
  }

  /** RFC 8445 §7.3: a check of the other end. It is done with its checks once it has nominated, or once ours, which nominate, stand. */
  #answerCheck(data: Buffer, { password, isControlled }: OwnIce): void {
    const key = Buffer.from(password);
    const request = parseMessage(data, key);
    if (!request) return;
    const { address, port } = this.#socket.remoteAddress();
    const answer = new Message(methods.BINDING, classes.RESPONSE, request.transactionId).setAttribute(
      'XOR-MAPPED-ADDRESS',
      [address, port],
    ) as Message;
    this.#socket.send(answer.addMessageIntegrity(key).addFingerprint().bytes);
    if (!isControlled || request.attributesKeys.includes('USE-CANDIDATE')) this.#checked.resolve();
  }

  async #dtls(connect: (ours: DtlsParameters) => Promise<unknown>): Promise<void> {
    const { certPem, keyPem, signatureHash } = await ourCertificate();
    const ours = await ourDtls();
    const dtls = new DtlsClient({
      cert: certPem,
      key: keyPem,
      signatureHash,
      srtpProfiles: [AES_128_GCM],
      extendedMasterSecret: true,
      transport: this.#transport(),
    });
    await connect(ours);
    const connected = new Promise<void>((resolve, reject) => {
      dtls.onConnect.once(() => resolve());
      dtls.onError.once((error) => reject(error));
    });
    // Settles later than the handshake: it waits for its own timer.
    dtls.connect().catch(() => undefined);
    await connected;
    const known = this.#offer.dtlsParameters.fingerprints.find(({ algorithm }) => algorithm === 'sha-256');
    if (known?.value !== fingerprint(dtls.remoteCertificate!)) throw new Error('another certificate than offered');
    const keys = dtls.extractSessionKeys(keyLength(AES_128_GCM), saltLength(AES_128_GCM));
    this.#srtp = new SrtpSession({
      profile: AES_128_GCM,
      keys: {
        localMasterKey: keys.localKey,
        localMasterSalt: keys.localSalt,
        remoteMasterKey: keys.remoteKey,
        remoteMasterSalt: keys.remoteSalt,
      },
    });
  }

  /** What werift's DTLS reads from and writes to. */
  #transport(): ConstructorParameters<typeof DtlsClient>[0]['transport'] {
    const setReceiver = (receive: (data: Buffer) => void): void => {
      this.#toDtls = receive;
    };
    return {
      type: 'udp',
      address: this.#socket.address() satisfies AddressInfo,
      closed: false,
      get onData() {
        return () => undefined;
      },
      set onData(receive: (data: Buffer, from: readonly [string, number]) => void) {
        setReceiver((data) => receive(data, ['', 0]));
      },
      send: async (data) => {
        if (!this.#closed) this.#socket.send(data);
      },
      close: async () => this.close(),
    };
  }

  #receive(data: Buffer): void {
    if (isStunMessage(data)) {
      const message = parseMessage(data);
      if (message?.messageClass === classes.RESPONSE) this.#answered.resolve();
      if (message?.messageClass === classes.REQUEST && this.#own) this.#answerCheck(data, this.#own);
    } else if (isDtls(data)) {
      this.#toDtls(data);
    } else if (this.#srtp && isMedia(data) && !isRtcp(data)) {
      if (this.onSealed !== null) return this.onSealed();
      try {
        this.onPacket(RtpPacket.deSerialize(this.#srtp.decrypt(data)));
      } catch {
        // Not of this connection.
      }
    }
  }
}

function derOf(pem: string): Buffer {
  return Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
}

/** RFC 8122 §5. */
function fingerprint(der: Buffer): string {
  return createHash('sha256').update(der).digest('hex').toUpperCase().match(/../g)!.join(':');
}

async function within<T>(doing: Promise<T>, otherwise: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(otherwise)), PATIENCE_MS);
  });
  return Promise.race([doing, late]).finally(() => clearTimeout(timer));
}
