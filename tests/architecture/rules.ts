/**
 * Who may import whom (docs/design.md, section 6). Each rule has its reason in one line, so that a failure teaches.
 *
 * A rule speaks about the files that `appliesTo` picks, and names what they may import; everything else is a violation.
 * Rules about folders that do not exist yet apply when they do.
 */
import { type Import, importsOf, parse, type Sources, walk } from './imports.ts';
import ts from 'typescript';

interface Rule {
  readonly name: string;
  readonly because: string;
  readonly appliesTo: (path: string, pure: ReadonlySet<string>) => boolean;
  readonly allows: (edge: Import) => boolean;
}

const inside = (path: string, ...folders: string[]): boolean => folders.some((folder) => path.startsWith(`${folder}/`));
const isComponent = (path: string): boolean => path.endsWith('.svelte');
const isE2ee = (path: string): boolean => inside(path, 'client/e2ee');

/** The cores that are only functions: (state, input, now) → [state, effects]. */
const CORES = [
  /^client\/meeting\/(machine|layout|gallery|order)\.ts$/,
  /^signal\/meeting\/(room|permissions|epochs)\.ts$/,
];
const isCore = (path: string): boolean => CORES.some((pattern) => pattern.test(path));

/** The cores and every module of ours that runs because of them. The protocol's schemas are not followed: they are data. */
function pureModules(sources: Sources): ReadonlySet<string> {
  const pure = new Set<string>();
  const follow = (path: string): void => {
    if (pure.has(path) || inside(path, 'signal/protocol')) return;
    pure.add(path);
    for (const { to, isOurs, isTypeOnly } of importsOf(path, sources.get(path) ?? '')) {
      if (isOurs && !isTypeOnly) follow(to);
    }
  };
  [...sources.keys()].filter(isCore).forEach(follow);
  return pure;
}

const rules: readonly Rule[] = [
  {
    name: 'crypto imports nothing of ours and nothing of Node',
    because: 'it runs in browser, worker and Node alike, and can be read and trusted without the rest',
    appliesTo: (path) => inside(path, 'crypto'),
    allows: ({ to, isOurs }) => (isOurs ? inside(to, 'crypto') : !to.startsWith('node:')),
  },
  {
    name: 'signal/protocol imports the schema library alone',
    because: 'both sides share it: whatever it loads, the client loads too',
    appliesTo: (path) => inside(path, 'signal/protocol'),
    allows: ({ to, isOurs }) => (isOurs ? inside(to, 'signal/protocol') : to === 'zod/mini'),
  },
  {
    name: 'signal imports signal alone',
    because: 'the server must not be able to use keys (crypto) and must run without the client',
    appliesTo: (path) => inside(path, 'signal'),
    allows: ({ from, to, isOurs }) =>
      !isOurs || inside(to, 'signal') || (from === 'signal/relay/open.ts' && inside(to, 'relay')),
  },
  {
    name: 'relay imports signal/protocol alone',
    because: 'it forwards sealed frames on machines of its own, and must not be able to use keys',
    appliesTo: (path) => inside(path, 'relay'),
    allows: ({ to, isOurs }) => !isOurs || inside(to, 'relay', 'signal/protocol'),
  },
  {
    name: 'client/e2ee imports crypto and signal/protocol alone',
    because: 'keys live in one worker, which must not pull the page into itself',
    appliesTo: isE2ee,
    allows: ({ to, isOurs }) => !isOurs || isE2ee(to) || inside(to, 'crypto', 'signal/protocol'),
  },
  {
    name: 'the client outside e2ee never imports crypto, and of e2ee only port, messages and the way to start a script',
    because: 'secrets stay in the worker: the page moves opaque bytes and asks',
    appliesTo: (path) => inside(path, 'client') && !isE2ee(path),
    allows: ({ to, isOurs }) =>
      !isOurs ||
      (isE2ee(to)
        ? /^client\/e2ee\/(port|messages|trusted|chat\/messages)\.ts$/.test(to)
        : inside(to, 'client', 'signal/protocol', 'messages')),
  },
  {
    name: 'components import façades and ui, never net, transport or e2ee',
    because: 'components render and forward intent; what they would do there belongs into a *.svelte.ts',
    appliesTo: isComponent,
    allows: ({ to, isOurs, isTypeOnly }) =>
      !isOurs ||
      isTypeOnly ||
      isComponent(to) ||
      to.endsWith('.svelte.ts') ||
      to.endsWith('.css') ||
      isCore(to) ||
      inside(to, 'client/ui', 'client/screens', 'client/paraglide'),
  },
  {
    name: 'pure cores, and what they import, import no package but the schema library',
    because: 'a core that cannot reach clock, network or chance can be tested by comparing values',
    appliesTo: (path, pure) => pure.has(path),
    allows: ({ to, isOurs, isTypeOnly }) => isOurs || isTypeOnly || to === 'zod/mini',
  },
];

/** Globals that a folder must do without: the DOM for crypto, everything that is not a function of its input for cores. */
const FORBIDDEN_GLOBALS = [
  {
    because: 'crypto runs in workers and Node too: of the browser it may use WebCrypto only',
    appliesTo: (path: string) => inside(path, 'crypto'),
    names:
      /^(window|document|navigator|location|localStorage|sessionStorage|indexedDB|fetch|process|Buffer|__dirname)$/,
  },
  {
    because: 'a pure core is given the time and the chance it needs',
    appliesTo: (path: string, pure: ReadonlySet<string>) => pure.has(path),
    names: /^(Date|performance|crypto|fetch|setTimeout|setInterval|queueMicrotask|window|document|process|console)$/,
  },
];

/** Whether an identifier stands for a variable: not for a member, a key or the name of something declared. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isQualifiedName(parent) || ts.isTypeReferenceNode(parent) || ts.isImportSpecifier(parent)) return false;
  return !('name' in parent && parent.name === node) && !('propertyName' in parent && parent.propertyName === node);
}

/** Every violation in these sources, as a sentence that says file, fault and reason. */
export function violationsIn(sources: Sources): string[] {
  const found: string[] = [];
  const pure = pureModules(sources);
  for (const [path, text] of sources) {
    const applying = rules.filter((rule) => rule.appliesTo(path, pure));
    for (const edge of applying.length > 0 ? importsOf(path, text) : []) {
      const broken = applying.filter((rule) => !rule.allows(edge));
      found.push(...broken.map((rule) => `${path} imports ${edge.to}: ${rule.name}, because ${rule.because}`));
    }
    const globals = FORBIDDEN_GLOBALS.filter((rule) => rule.appliesTo(path, pure));
    if (globals.length === 0) continue;
    walk(parse(path, text), (node) => {
      if (!ts.isIdentifier(node) || !isReference(node)) return;
      const broken = globals.filter(({ names }) => names.test(node.text));
      found.push(...broken.map(({ because }) => `${path} uses ${node.text}: ${because}`));
    });
  }
  return found;
}

/** A module that only hands on what others own, or hands on everything of one. */
export function barrelsIn(sources: Sources): string[] {
  return [...sources].flatMap(([path, text]) => {
    const { statements } = parse(path, text);
    const handsOn = statements.filter((statement) => ts.isExportDeclaration(statement) && statement.moduleSpecifier);
    const handsOnAll = handsOn.some((statement) => ts.isExportDeclaration(statement) && !statement.exportClause);
    return handsOnAll || (handsOn.length > 0 && handsOn.length === statements.length) ? [path] : [];
  });
}

/** The first cycle found among imports, as the files on it; null where there is none. Types count: they tie files too. */
export function cycleIn(sources: Sources): string[] | null {
  const state = new Map<string, 'open' | 'done'>();
  const visit = (path: string, trail: readonly string[]): string[] | null => {
    if (state.get(path) === 'open') return [...trail.slice(trail.indexOf(path)), path];
    if (state.has(path)) return null;
    state.set(path, 'open');
    for (const { to } of importsOf(path, sources.get(path) ?? '')) {
      const cycle = sources.has(to) ? visit(to, [...trail, path]) : null;
      if (cycle) return cycle;
    }
    state.set(path, 'done');
    return null;
  };
  for (const path of sources.keys()) {
    const cycle = visit(path, []);
    if (cycle) return cycle;
  }
  return null;
}
