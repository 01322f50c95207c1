/** Limits of the notes: here, since what parses entries needs no more of them. */

/** Of one change, in bytes: more than what somebody pastes. */
export const MAX_UPDATE = 256 * 1024;
