/** Every request that a client may send. */
import { chatRequests } from './chat.ts';
import { mediaRequests } from './mediaRequests.ts';
import type { RequestName } from './requests.ts';
import { requests } from './requests.ts';

export const catalogue = { ...requests, ...mediaRequests, ...chatRequests };

/** Type guard, so that a name from the wire never indexes the prototype. */
export function isRequestName(name: string): name is RequestName {
  return Object.hasOwn(catalogue, name);
}
