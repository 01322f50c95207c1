/**
 * The process: environment → config → app → listen, until a signal stops it.
 *
 * Exit codes: 0 after SIGTERM or SIGINT, 1 where it cannot run, 2 for mistakes in the options.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Runs TypeScript as it is, and has what better-sqlite3 is built for; older ones crash in it without a word. */
const LEAST_NODE = 22;
/** However slow a client is to say goodbye. */
const EXIT_MS = 4500;

async function main(): Promise<number | undefined> {
  if (Number(process.versions.node.split('.')[0]) < LEAST_NODE) {
    return fail(
      1,
      `Parley's server needs Node ${LEAST_NODE} or newer, this is ${process.versions.node}. npm start brings its own.`,
    );
  }
  // Only now: what these import may not even load on an older Node.
  const { ConfigError, readConfig } = await import('./config.ts');
  const { helpText } = await import('./options.ts');
  if (process.argv.includes('--help') || process.argv.includes('-h')) {
    process.stdout.write(helpText());
    return 0;
  }
  const unknown = process.argv.slice(2).find((argument) => argument !== '--');
  if (unknown !== undefined) {
    return fail(2, `"${unknown}" is no argument: options are environment variables, and --help lists them.`);
  }
  try {
    const config = readConfig(process.env, join(import.meta.dirname, '..'), (path) => readFileSync(path, 'utf8'));
    return await serve(config);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const lines = error.mistakes.map((mistake) => `  ${mistake}`);
    return fail(
      2,
      ['Parley cannot start with these options:', ...lines, 'npm start -- --help lists them all.'].join('\n'),
    );
  }
}

async function serve(config: import('./config.ts').Config): Promise<number | undefined> {
  const { createApp } = await import('./app.ts');
  const { StoreError } = await import('./store/open.ts');
  const { greeting } = await import('./greeting.ts');
  let app: import('./app.ts').App;
  try {
    app = await createApp(config);
  } catch (error) {
    if (error instanceof StoreError) return fail(1, error.message);
    throw error;
  }
  let port: number;
  try {
    port = await app.listen();
  } catch (error) {
    await app.close();
    const words = whyNotListening(error as NodeJS.ErrnoException, config);
    if (words === null) throw error;
    return fail(1, words);
  }
  process.stdout.write(greeting({ ...config, port }));
  for (const warning of config.warnings) process.stderr.write(`${warning}\n`);

  const stop = (): void => {
    setTimeout(() => process.exit(0), EXIT_MS).unref();
    app.close().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`Stopping went wrong: ${String(error)}\n`);
        process.exit(1);
      },
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  // In a terminal it says that the terminal is gone, and ends us as it ends others.
  if (config.tls !== null && !process.stdout.isTTY) process.on('SIGHUP', () => app.renewCertificate());
  return undefined;
}

function whyNotListening(error: NodeJS.ErrnoException, { host, port }: { host: string; port: number }): string | null {
  switch (error.code) {
    case 'EADDRINUSE':
      return `Port ${port} is in use on ${host}. Stop what uses it (perhaps another Parley), or choose another with PARLEY_PORT.`;
    case 'EACCES':
      return `Port ${port} may not be used by this user. Choose one above 1023 with PARLEY_PORT.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `PARLEY_HOST is "${host}", which is no address of this machine. 127.0.0.1 is this machine alone, 0.0.0.0 all networks.`;
    default:
      return null;
  }
}

function fail(code: number, words: string): number {
  process.stderr.write(`${words}\n`);
  return code;
}

const code = await main();
if (code !== undefined) process.exit(code);
