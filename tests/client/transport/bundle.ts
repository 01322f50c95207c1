/** Bundles one TypeScript module for a test page, as the product's own build would. */
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { build } from 'vite';

/** @returns the text of one ES module */
export async function bundle(entry: URL): Promise<string> {
  const built = await build({
    configFile: false,
    plugins: [svelte({ configFile: false, prebundleSvelteLibraries: false })],
    logLevel: 'warn',
    build: {
      write: false,
      minify: false,
      target: 'es2024',
      rolldownOptions: { output: { codeSplitting: false } },
      lib: { entry: entry.pathname, formats: ['es'], fileName: 'bundle' },
    },
  });
  const [output] = Array.isArray(built) ? built : [built];
  if (!output || !('output' in output)) throw new Error('nothing was built');
  return output.output[0].code;
}
