/**
 * Refuses a Node that is too old, before anything else is loaded: the scripts beside this folder load it first.
 *
 * The set-up itself runs on Node 20; the server, the build and the tests run on the Node 24 that npm installs
 * (runtime.mjs). Keep to what Node 12 can read (Ubuntu 22.04 has that one), or it dies of our syntax without a clear word.
 */

const OLDEST = 20;

/** What is wrong with this Node version ("20.1.0"), as a sentence for a person; null when nothing is. */
export function nodeComplaint(version) {
  if (Number(version.split('.')[0]) >= OLDEST) return null;
  return (
    `Parley needs Node.js ${OLDEST} or newer to set itself up, and this is ${version}. ` +
    'Install a newer one (https://nodejs.org, or your system’s packages) and run the same command again.'
  );
}

const complaint = nodeComplaint(process.versions.node);
if (complaint) {
  console.error(complaint);
  process.exit(1);
}
