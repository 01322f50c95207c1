/** Bundles one TypeScript entry, with what it imports, into the text of one ES module for a browser, minified as the product is. */
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

/** @param entry URL of the file, `new URL('pages/x.ts', import.meta.url)` */
export async function bundle(entry: URL): Promise<string> {
  const built = await build({
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      target: 'es2023',
      rolldownOptions: { input: fileURLToPath(entry), output: { format: 'es', codeSplitting: false } },
    },
  });
  const outputs = Array.isArray(built) ? built.flatMap(({ output }) => output) : 'output' in built ? built.output : [];
  const chunk = outputs.find((output) => output.type === 'chunk');
  if (chunk === undefined) throw new Error(`nothing came of ${entry.href}`);
  return chunk.code;
}
