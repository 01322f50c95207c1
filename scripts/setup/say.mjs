/** What the set-up tells the person who waits: on stderr, so that stdout stays with the program that is started. */

/** One line. */
export function say(text) {
  process.stderr.write(`${text}\n`);
}

/**
 * Says what begins, then every ten seconds that it still goes on, then how long it took.
 * @returns whatever `work` resolves to; its error passes through
 */
export async function step(title, work) {
  const started = Date.now();
  const seconds = () => Math.round((Date.now() - started) / 1000);
  say(`${title} …`);
  const timer = setInterval(() => say(`  … ${seconds()} s`), 10_000);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    say(`  ${seconds()} s`);
  }
}

/** An error whose message is all that the person needs: printed without a stack. */
export class SetupError extends Error {}

/** Runs a script's main function; a SetupError ends it with its message alone. */
export function main(work) {
  work().catch((error) => {
    say(error instanceof SetupError ? `\n${error.message}` : String(error?.stack ?? error));
    process.exit(1);
  });
}
