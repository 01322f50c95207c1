/** The examples of PROTOCOL.md: every fenced block `json KIND NAME`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Example {
  readonly kind: string;
  readonly name: string;
  readonly value: unknown;
}

export const protocolPage = readFileSync(join(import.meta.dirname, '../../signal/protocol/PROTOCOL.md'), 'utf8');

export function examples(): Example[] {
  return [...protocolPage.matchAll(/^```json (\w+) ?(\S*)\n([\s\S]*?)^```$/gm)].map(([, kind, name, text]) => ({
    kind: kind!,
    name: name!,
    value: JSON.parse(text!) as unknown,
  }));
}
