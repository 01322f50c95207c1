/**
 * `/api/blobs`: sealed files in and out (protocol/blobs.ts). Uploads are tus, by its own server over our blobs.
 *
 * A request is let in by a pass, and ends with it: whoever is removed in the middle of a download gets no more of it.
 */
import { DataStore, MemoryLocker, Server, Upload } from '@tus/server';
import { randomBytes } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { addressOf } from '../address.ts';
import type { BlobService } from '../blobs/service.ts';
import type { Guest, Ticket, Tickets } from '../chat/tickets.ts';
import { BlobId, BLOBS_PATH, ERASE_HEADER } from '../protocol/blobs.ts';
import { errors, ProtocolError } from '../protocol/errors.ts';
import { fixedBytesText, type MeetingId } from '../protocol/ids.ts';

const BYTES = 'application/offset+octet-stream';
const Token = fixedBytesText(32);

export interface BlobsTerms {
  readonly blobs: BlobService;
  readonly passes: Tickets;
  readonly proxies: number;
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
}

export function serveBlobs(app: FastifyInstance, { blobs, passes, proxies, now, onError }: BlobsTerms): void {
  const locker = new MemoryLocker();

  app.register(async (scope) => {
    // As it comes: nothing of a file is ever held whole.
    scope.addContentTypeParser(BYTES, (_request, payload, done) => done(null, payload));
    scope.route({ method: ['POST'], url: BLOBS_PATH, handler: tus });
    scope.route({ method: ['HEAD', 'PATCH'], url: `${BLOBS_PATH}/:id`, handler: tus });
    scope.get(`${BLOBS_PATH}/:id`, { exposeHeadRoute: false }, async (request, reply) => {
      const ticket = admit(request);
      const id = idOf(request);
      const size = await blobs.size(ticket.meeting, id);
      const range = rangeOf(request.headers.range, size);
      const stream = await blobs.read(ticket.meeting, id, range);
      stay(ticket, { end: () => void stream.destroy() }, reply);
      return reply
        .code(206)
        .headers({
          'cache-control': 'no-store',
          'content-type': 'application/octet-stream',
          'content-disposition': 'attachment',
          'content-range': `bytes ${range.first}-${range.last}/${size}`,
          'content-length': range.last - range.first + 1,
        })
        .send(stream);
    });
    scope.delete(`${BLOBS_PATH}/:id`, async (request, reply) => {
      const ticket = admit(request);
      const token = Token.safeParse(request.headers[ERASE_HEADER]);
      if (!token.success) throw new ProtocolError('badRequest');
      await blobs.delete(ticket.meeting, idOf(request), token.data);
      return reply.code(204).header('cache-control', 'no-store').send();
    });
  });

  async function tus(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { raw } = request;
    const ticket = admit(request);
    if ('id' in (request.params as object)) idOf(request);
    stay(ticket, { end: () => void raw.destroy() }, reply);
    const server = new Server({
      path: BLOBS_PATH,
      datastore: new Uploads(blobs, { meeting: ticket.meeting, address: addressOf(raw, proxies) }),
      locker,
      relativeLocation: true,
      // None: nobody else's page has anything to do here.
      allowedOrigins: [],
      namingFunction: () => randomBytes(16).toString('base64url'),
      onResponseError: (_request, error) => problemOf(error, onError),
    });
    for (const [name, value] of Object.entries(reply.getHeaders()))
      if (value !== undefined) reply.raw.setHeader(name, value);
    reply.raw.setHeader('cache-control', 'no-store');
    reply.hijack();
    await server.handle(raw, reply.raw);
  }

  /** @throws ProtocolError ticketRefused · tooMany */
  function admit(request: FastifyRequest): Ticket {
    const given = /^Bearer ([A-Za-z0-9_-]{43})$/.exec(request.headers.authorization ?? '');
    const ticket = given && passes.find(given[1]!);
    if (!ticket) throw new ProtocolError('ticketRefused');
    if (!ticket.mayTalk(now())) throw new ProtocolError('tooMany', undefined, { retryAfterMs: 1000 });
    return ticket;
  }
}

/** Over as soon as the pass is. */
function stay(ticket: Ticket, guest: Guest, { raw }: FastifyReply): void {
  ticket.admit(guest);
  raw.once('close', () => ticket.left(guest));
}

function idOf(request: FastifyRequest): string {
  const id = BlobId.safeParse((request.params as { id?: unknown }).id);
  if (!id.success) throw new ProtocolError('chatUnknown');
  return id.data;
}

/** One range of RFC 9110 §14.1.2, with both ends; without one, all of it. @throws ProtocolError badRequest */
function rangeOf(header: string | undefined, size: number): { first: number; last: number } {
  if (header === undefined) return { first: 0, last: size - 1 };
  const [, from, to] = /^bytes=(\d{1,12})-(\d{1,12})$/.exec(header) ?? [];
  const [first, last] = [Number(from), Math.min(Number(to), size - 1)];
  if (from === undefined || first > last) throw new ProtocolError('badRequest', 'range: not within the file');
  return { first, last };
}

/** What tus asks of a store, for one request. */
class Uploads extends DataStore {
  readonly #blobs: BlobService;
  readonly #by: { meeting: MeetingId; address: string };

  constructor(blobs: BlobService, by: { meeting: MeetingId; address: string }) {
    super();
    this.extensions = ['creation'];
    this.#blobs = blobs;
    this.#by = by;
  }

  override async create(upload: Upload): Promise<Upload> {
    const { meeting, address } = this.#by;
    const { id, size = 0, metadata } = upload;
    await this.#blobs.begin(meeting, address, { id, bytes: size, erase: metadata?.['erase'] ?? '' });
    return upload;
  }

  override async getUpload(id: string): Promise<Upload> {
    const { bytes, offset } = await this.#blobs.progress(this.#by.meeting, id);
    return new Upload({ id, size: bytes, offset });
  }

  override write(stream: Readable, id: string, offset: number): Promise<number> {
    return this.#blobs.append(this.#by.meeting, id, offset, stream);
  }
}

function problemOf(
  error: Error | { status_code: number; body: string },
  onError: (error: unknown) => void,
): { status_code: number; body: string } {
  // Of tus itself, about a request that does not fit: its status says which, a wrong offset is 409.
  if (!(error instanceof Error))
    return { status_code: error.status_code, body: JSON.stringify({ code: 'badRequest' }) };
  const known = error instanceof ProtocolError ? error : new ProtocolError('internal');
  if (known.code === 'internal') onError(error);
  const { code, retryAfterMs } = known;
  return { status_code: errors[code].status, body: JSON.stringify({ code, retryAfterMs }) };
}
