/** GET /healthz, for the one part that people are asked about: whether a meeting can be promised a relay. */
import { Health } from '../../signal/protocol/http.ts';

const TIMEOUT_MS = 5_000;

/** @returns null where the server does not say */
export async function relayState(): Promise<Health['parts']['relay']['state'] | null> {
  try {
    // 503 has the same body: some other part is down.
    const response = await fetch('/healthz', { credentials: 'omit', signal: AbortSignal.timeout(TIMEOUT_MS) });
    return Health.parse(await response.json()).parts.relay.state;
  } catch {
    return null;
  }
}
