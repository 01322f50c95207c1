/** How a member shows that it holds the host key: the host's signature over the leaf it has in this group. */
import type { Bytes } from '../../../crypto/bytes.ts';
import { utf8 } from '../../../crypto/bytes.ts';
import { Writer } from '../../../crypto/codec.ts';

export const HOST_PROFILE_LABEL = 'parley host profile 1';

/** length(1) ‖ meeting id ‖ group id(32) ‖ leaf key(32) */
export function hostProfileBody(meeting: string, groupId: Bytes, leafKey: Bytes): Bytes {
  return new Writer().opaque8(utf8(meeting)).fixed(groupId).fixed(leafKey).done();
}
