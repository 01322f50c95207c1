/** POST /api/meetings. Nobody needs an account; an address may make only so many. */
import type { FastifyInstance } from 'fastify';
import { addressOf, SITE_FACTOR, siteOf } from '../address.ts';
import { createMeeting } from '../meeting/hosting.ts';
import type { MeetingService } from '../meeting/service.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { CreateMeeting, type CreatedMeeting } from '../protocol/http.ts';
import type * as z from 'zod/mini';
import { Bucket } from '../ws/limits.ts';

/** A record and an access document of 8 kB each, escaped, and their wrapping. */
const BODY_LIMIT = 48 * 1024;
/** More addresses than this are not counted at once. */
const MAX_ADDRESSES = 50_000;

export interface MeetingsTerms {
  readonly service: MeetingService;
  readonly proxies: number;
  readonly perHour: number;
}

export function serveMeetings(app: FastifyInstance, { service, proxies, perHour }: MeetingsTerms): void {
  const { now, meetingTtlMs } = service.terms;
  // At least one at once, so that a limit of a few an hour lets the first through.
  const rateOf = (count: number) => ({ burst: Math.max(1, Math.ceil(count / 2)), perSecond: count / 3600 });
  const buckets = new Map<string, Bucket>();

  function take(address: string, count: number): void {
    const bucket = buckets.get(address) ?? new Bucket(rateOf(count), now());
    buckets.delete(address);
    buckets.set(address, bucket);
    // Maps keep the order of insertion: the first has been quiet for longest.
    for (const quiet of buckets.keys()) if (buckets.size > MAX_ADDRESSES) buckets.delete(quiet);
    const retryAfterMs = bucket.take(1, now());
    if (retryAfterMs > 0) throw new ProtocolError('tooMany', undefined, { retryAfterMs });
  }

  app.post('/api/meetings', { bodyLimit: BODY_LIMIT }, async (request, reply) => {
    const address = addressOf(request.raw, proxies);
    const site = siteOf(address);
    take(address, perHour);
    if (site !== null) take(site, SITE_FACTOR * perHour);
    const body = CreateMeeting.safeParse(request.body);
    if (!body.success) throw new ProtocolError('badRequest');
    const meeting = await createMeeting(service, body.data);
    const created: z.infer<typeof CreatedMeeting> = { meeting, expiresAt: now() + meetingTtlMs };
    return reply.code(201).header('cache-control', 'no-store').send(created);
  });
}
