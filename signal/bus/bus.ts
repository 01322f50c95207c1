/**
 * Messages between server processes.
 *
 * At most once, in the order of one publisher, to whoever subscribes at that moment, the publisher's own subscriptions
 * included. The truth is in the store: whoever misses a message loses speed, never safety.
 */
export type Unsubscribe = () => void;

export interface Bus {
  /** Resolves once the message is on its way; delivery is never awaited. @throws if the bus is closed or cannot be reached */
  publish(topic: string, message: string): Promise<void>;
  /** Resolves once every later message of the topic arrives. What the listener throws stays with the listener. */
  subscribe(topic: string, listener: (message: string) => void): Promise<Unsubscribe>;
  /** Whether it can be reached. */
  isUp(): boolean;
  /** Idempotent. Nothing is delivered afterwards. */
  close(): Promise<void>;
}
