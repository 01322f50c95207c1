/**
 * ICE servers for one peer.
 *
 * With a shared secret the credentials expire: user name `expiry:peer`, password base64(HMAC-SHA-1(secret, user name)), as
 * draft-uberti-behave-turn-rest-00 §2.2 says and coturn's `use-auth-secret` checks. The secret never leaves the server.
 */
import { createHmac } from 'node:crypto';
import type { IceConfig, TurnAccess } from './config.ts';
import type { PeerId } from './protocol/ids.ts';
import type { IceServer } from './protocol/model.ts';

/** @param now milliseconds since 1970 */
export function iceServersFor(config: IceConfig, peer: PeerId, now: number): IceServer[] {
  const servers: IceServer[] = [];
  if (config.stunUrls.length > 0) servers.push({ urls: [...config.stunUrls] });
  if (config.turn) servers.push({ urls: [...config.turn.urls], ...credentials(config.turn.access, peer, now) });
  return servers;
}

function credentials(access: TurnAccess, peer: PeerId, now: number): { username: string; credential: string } {
  if (access.by === 'password') return { username: access.user, credential: access.password };
  const username = `${Math.floor(now / 1000) + access.ttlSeconds}:${peer}`;
  return { username, credential: createHmac('sha1', access.secret).update(username).digest('base64') };
}
