/** What mediasoup throws for parameters that do not fit is the asking side's mistake, and told as one. */
import { ProtocolError } from '../signal/protocol/errors.ts';

/** @throws ProtocolError badRequest */
export async function refusing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TypeError || (error instanceof Error && error.name === 'UnsupportedError')) {
      throw new ProtocolError('badRequest', 'the relay cannot take these parameters', { cause: error });
    }
    throw error;
  }
}
