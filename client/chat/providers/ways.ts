/** What every part of the chat reaches signal and the worker by. */
import type { chatRequests } from '../../../signal/protocol/chat.ts';
import type { Params, Result } from '../../../signal/protocol/requests.ts';
import type { ChatCalls } from '../../e2ee/chat/messages.ts';

export type ChatRequest = keyof typeof chatRequests;

/** The connection to signal, as far as the chat is concerned. */
export interface ChatLine {
  /** @throws ProtocolError · OfflineError */
  request<N extends ChatRequest>(name: N, params: Params<N>): Promise<Result<N>>;
}

/** The worker, as far as the chat is concerned. */
export interface ChatPort {
  call<N extends keyof ChatCalls>(name: N, params: ChatCalls[N]['in']): Promise<ChatCalls[N]['out']>;
}
