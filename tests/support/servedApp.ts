/** The real server with the built client, for browsers. PARLEY_CLIENT names another build than dist/. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Given } from '../../signal/app.ts';
import type { Environment } from '../../signal/config.ts';
import { startApp } from './startApp.ts';

export interface App {
  readonly origin: string;
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** The built client. */
export function clientFolder(): string {
  return process.env['PARLEY_CLIENT'] ?? join(import.meta.dirname, '../../dist');
}

export async function serveApp(options: Environment = {}, given: Given = {}): Promise<App> {
  const client = clientFolder();
  if (!existsSync(join(client, 'index.html'))) throw new Error(`no built client in ${client}: npm test builds it`);
  const started = await startApp({ PARLEY_CLIENT: client, ...options }, given);
  return { origin: started.url, restart: () => started.restart(), close: () => started.close() };
}
