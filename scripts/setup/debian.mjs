/** Debian's packages, where we may install them: the tools of the tests (a browser, a TURN server), never the server's. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { run } from './run.mjs';
import { say, step } from './say.mjs';

/** Asked by invoke-rc.d before it starts a service; 101 forbids it (its manual page). */
const POLICY = '/usr/sbin/policy-rc.d';

/** Whether packages can be installed here without asking anybody. */
export function canInstall() {
  return existsSync('/usr/bin/apt-get') && process.getuid?.() === 0;
}

/** Installs packages. Services among them are neither started now nor at the next boot. @returns whether it worked */
export async function installPackages(names) {
  return step(`Installing ${names.join(', ')}`, async () => {
    const ownPolicy = !existsSync(POLICY);
    if (ownPolicy) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    try {
      const env = { DEBIAN_FRONTEND: 'noninteractive' };
      let last = await run('apt-get', ['update', '-qq'], { env });
      last = await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], { env });
      if (last.code !== 0) say(last.output);
      if (names.includes('coturn')) await run('systemctl', ['disable', 'coturn']);
      return last.code === 0;
    } finally {
      if (ownPolicy) rmSync(POLICY, { force: true });
    }
  });
}
