/** Which ways a person's connections take. */
import type { Person } from './person.ts';

export interface Ends {
  /** Of our end: host, srflx, prflx or relay (RFC 8445 §5.1.1). */
  localType: string;
  protocol: string;
  address: string;
  port: number;
}

/** Our end's kind and the other end's address of each connection that is up, as ICE has chosen them. */
export const endsOf = (person: Person): Promise<Ends[]> =>
  person.page.evaluate(async () => {
    const found: Ends[] = [];
    for (const connection of parleyProbe.connections) {
      if (connection.connectionState !== 'connected') continue;
      const stats = await connection.getStats();
      for (const entry of stats.values()) {
        if (entry.type !== 'transport' || entry.selectedCandidatePairId === undefined) continue;
        const { localCandidateId, remoteCandidateId } = stats.get(entry.selectedCandidatePairId);
        const { protocol, address, port } = stats.get(remoteCandidateId);
        found.push({ localType: stats.get(localCandidateId).candidateType, protocol, address, port });
      }
    }
    return found;
  });
