/**
 * A relay as a process of its own: environment → config → workers → signal, until a signal of the system stops it.
 *
 * Exit codes: 0 after SIGTERM or SIGINT, 1 where it cannot run, 2 for mistakes in the options.
 */
import { Dial } from './dial.ts';
import { readRelayConfig, RelayConfigError, type RelayProcessConfig, relayOptions } from './config.ts';
import { hasWorker, startRelay } from './relay.ts';

const log = (words: string): void => void process.stdout.write(`relay: ${words}\n`);

async function main(): Promise<number | undefined> {
  if (process.argv.includes('--help') || process.argv.includes('-h')) {
    const lines = Object.entries(relayOptions).map(([name, { help }]) => `  ${name.padEnd(25)} ${help}`);
    process.stdout.write(['A relay for Parley. Options are environment variables.', '', ...lines, ''].join('\n'));
    return 0;
  }
  let config: RelayProcessConfig;
  try {
    config = readRelayConfig(process.env);
  } catch (error) {
    if (!(error instanceof RelayConfigError)) throw error;
    const lines = error.mistakes.map((mistake) => `  ${mistake}`);
    return fail(2, ['The relay cannot start with these options:', ...lines, 'npm run relay -- --help lists them all.']);
  }
  if (!hasWorker()) return fail(1, ["mediasoup's worker is not there: npm run relay fetches or builds it."]);
  const { url, secret, relay: name, region, workers, capacity, listen, pipes } = config;
  if (url.startsWith('ws:'))
    log('warning: without TLS, whoever is on the way to signal can read keys of connections (never of people)');
  const relay = await startRelay({ count: workers, capacity, listen, pipes, onError: (error) => log(String(error)) });
  const dial = new Dial(relay, { url, secret, relay: name, region, log });
  const stop = (): void => {
    dial.close();
    void relay.close().finally(() => process.exit(0));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  return undefined;
}

function fail(code: number, lines: readonly string[]): number {
  process.stderr.write(`${lines.join('\n')}\n`);
  return code;
}

const code = await main().catch((error: unknown) => fail(1, [`The relay cannot run: ${String(error)}`]));
if (code !== undefined) process.exit(code);
