/**
 * What the tests run besides our own code: real browsers, a real TURN server, network namespaces.
 *
 * Chromium, openssl and ps are needed. Tests for the rest are skipped where a machine has not got it, each with its reason; on CI
 * (CI=true) everything is needed, so that nothing goes unnoticed.
 */
import { accessSync, constants } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { canInstall, installPackages } from './debian.mjs';
import { SetupError, say } from './say.mjs';

/** Each tool: commands that serve, the variable that names another one and is handed to the tests, Debian's package. */
export const TOOLS = [
  {
    name: 'Chromium',
    needed: true,
    variable: 'PARLEY_CHROMIUM',
    commands: [
      'chromium',
      'chromium-browser',
      'google-chrome',
      'google-chrome-stable',
      '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
      '/Applications/Chromium.app/Contents/MacOS/Chromium',
    ],
    packages: ['chromium'],
  },
  {
    name: 'Firefox ESR',
    variable: 'PARLEY_FIREFOX',
    commands: ['firefox-esr', 'firefox'],
    packages: ['firefox-esr'],
  },
  { name: 'coturn', variable: 'PARLEY_TURNSERVER', commands: ['turnserver'], packages: ['coturn'] },
  { name: 'OpenSSL', needed: true, commands: ['openssl'], packages: ['openssl'] },
  { name: 'procps', needed: true, commands: ['ps'], packages: ['procps'] },
  { name: 'iproute2', commands: ['ip'], packages: ['iproute2'] },
  { name: 'nftables', commands: ['nft'], packages: ['nftables'] },
];

/** Where administrators' tools lie; not on everybody's PATH. */
const SBIN = ['/usr/sbin', '/sbin'];

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The path of the first command that exists, or null. */
export function which(commands, path = process.env.PATH ?? '') {
  for (const command of commands) {
    const places = isAbsolute(command) ? [command] : [...path.split(delimiter), ...SBIN].map((at) => join(at, command));
    const found = places.find(isExecutable);
    if (found) return found;
  }
  return null;
}

/** The tool's path here, or null. @throws SetupError where its variable names something that cannot be run */
export function findTool(tool, env = process.env) {
  const named = tool.variable && env[tool.variable];
  if (!named) return which(tool.commands, env.PATH);
  if (isExecutable(named)) return named;
  throw new SetupError(`${tool.variable} is ${named}, which cannot be run.`);
}

/**
 * Finds the tools, and installs those that are missing where that can be done.
 * @returns environment for the tests: PARLEY_CHROMIUM and so on, for each tool that is there
 * @throws SetupError where a tool that is needed cannot be had
 */
export async function ensureTestTools({ isCi = Boolean(process.env.CI) } = {}) {
  const missing = () => TOOLS.filter((tool) => findTool(tool) === null);
  if (missing().length > 0 && canInstall()) await installPackages(missing().flatMap((tool) => tool.packages));
  const absent = missing();
  const fatal = absent.filter((tool) => tool.needed || isCi);
  if (fatal.length > 0) {
    const names = fatal.map((tool) => tool.name).join(', ');
    const packages = fatal.flatMap((tool) => tool.packages).join(' ');
    const variables = fatal.flatMap((tool) => tool.variable ?? []).join(', ');
    throw new SetupError(
      `The tests need ${names}, not found on this machine. On Debian: sudo apt-get install ${packages}\n` +
        (variables ? `Elsewhere, install it your way, and set ${variables} to its path if it is not on the PATH.` : ''),
    );
  }
  for (const tool of absent) {
    say(`Without ${tool.name}: its tests are skipped. On Debian: sudo apt-get install ${tool.packages.join(' ')}`);
  }
  const found = TOOLS.flatMap((tool) => (tool.variable ? [[tool.variable, findTool(tool)]] : []));
  return Object.fromEntries(found.filter(([, path]) => path !== null));
}
