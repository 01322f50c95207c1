/**
 * How browsers find each other for the chat's direct way: the messages of y-webrtc's signalling, on a WebSocket of its own.
 *
 * `GET /ws/chat?ticket=…`, with a ticket of `chat.ticket`. Topics are local to the ticket's meeting. What is published is sealed by y-webrtc
 * with a password that the server does not have; what is not sealed is no message of ours.
 */
import * as z from 'zod/mini';

export const CHAT_DIRECT_PATH = '/ws/chat';
/** An offer of data channels with all its candidates is a tenth of this. */
export const MAX_DIRECT_BYTES = 32 * 1024;
/** One is in use; while keys change there may be two. */
export const MAX_DIRECT_TOPICS = 4;

const Topic = z.string().check(z.regex(/^[A-Za-z0-9_-]{1,64}$/));
const Topics = z.array(Topic).check(z.maxLength(MAX_DIRECT_TOPICS));

/** Goes to all others who have subscribed to the topic, as it came. Base64 (RFC 4648 §4). */
const Publish = z.object({
  type: z.literal('publish'),
  topic: Topic,
  data: z.string().check(z.regex(/^[A-Za-z0-9+/]+={0,2}$/)),
});

export const DirectRequest = z.discriminatedUnion('type', [
  z.object({ type: z.literal('subscribe'), topics: Topics }),
  z.object({ type: z.literal('unsubscribe'), topics: Topics }),
  Publish,
  z.object({ type: z.literal('ping') }),
]);
export type DirectRequest = z.infer<typeof DirectRequest>;

export const DirectAnswer = z.discriminatedUnion('type', [Publish, z.object({ type: z.literal('pong') })]);
export type DirectAnswer = z.infer<typeof DirectAnswer>;
