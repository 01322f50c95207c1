/**
 * Reads what a source file imports, with the TypeScript parser: statements, dynamic imports, types by `import('…')`,
 * workers by `new URL('…', import.meta.url)`. Works on text, so that tests can plant a violation without a file.
 */
import { posix } from 'node:path';
import ts from 'typescript';

/** Path from the project's folder → text. */
export type Sources = ReadonlyMap<string, string>;

export interface Import {
  readonly from: string;
  /** A path from the project's folder where the import is relative, else the package or builtin as written. */
  readonly to: string;
  readonly isOurs: boolean;
  /** Erased before anything runs. */
  readonly isTypeOnly: boolean;
}

/** The script of a component; other files are script as a whole. */
function scriptOf(path: string, text: string): string {
  if (!path.endsWith('.svelte')) return text;
  return [...text.matchAll(/<script\b[^>]*>([\s\S]*?)<\/script>/g)].map((match) => match[1]).join('\n');
}

export function parse(path: string, text: string): ts.SourceFile {
  return ts.createSourceFile(path, scriptOf(path, text), ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
}

export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

function isTypeOnlyImport(node: ts.ImportDeclaration): boolean {
  const clause = node.importClause;
  if (!clause) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const names = clause.namedBindings;
  return !clause.name && !!names && ts.isNamedImports(names) && names.elements.length > 0
    ? names.elements.every((element) => element.isTypeOnly)
    : false;
}

/** The specifier that a node loads, and whether only its types are used; null for all other nodes. */
function load(node: ts.Node): { specifier: ts.Node; isTypeOnly: boolean } | null {
  if (ts.isImportDeclaration(node)) return { specifier: node.moduleSpecifier, isTypeOnly: isTypeOnlyImport(node) };
  if (ts.isExportDeclaration(node) && node.moduleSpecifier) {
    return { specifier: node.moduleSpecifier, isTypeOnly: node.isTypeOnly };
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    return { specifier: node.argument.literal, isTypeOnly: true };
  }
  const first = ts.isCallExpression(node) || ts.isNewExpression(node) ? node.arguments?.[0] : undefined;
  if (!first) return null;
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    return { specifier: first, isTypeOnly: false };
  }
  const isUrl = ts.isNewExpression(node) && node.expression.getText() === 'URL';
  return isUrl && node.arguments?.[1]?.getText() === 'import.meta.url' ? { specifier: first, isTypeOnly: false } : null;
}

/** All imports of one file, in the order they stand there. */
export function importsOf(path: string, text: string): Import[] {
  const found: Import[] = [];
  walk(parse(path, text), (node) => {
    const loaded = load(node);
    if (!loaded || !ts.isStringLiteralLike(loaded.specifier)) return;
    // Vite's `?worker&url` and the like say how, not what.
    const name = loaded.specifier.text.replace(/\?.*$/, '');
    const isOurs = name.startsWith('.');
    const to = isOurs ? posix.join(posix.dirname(path), name) : name;
    found.push({ from: path, to, isOurs, isTypeOnly: loaded.isTypeOnly });
  });
  return found;
}
