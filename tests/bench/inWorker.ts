/** Runs jobs in dedicated workers of one page in Chromium. */
import { launchBrowser, openContext } from '../support/browser.ts';
import { servePage } from '../support/pageServer.ts';
import { bundle } from './bundle.ts';

export interface WorkerPage {
  /** Starts the worker anew, posts it `job`, and waits for `{result}` or `{error}`. */
  run<R>(job: object): Promise<R>;
  close(): Promise<void>;
}

/** @param entry of the worker; other messages than `{result}` and `{error}` are not for us */
export async function openWorkerPage(entry: URL): Promise<WorkerPage> {
  const site = await servePage({ '/worker.js': await bundle(entry) });
  const browser = await launchBrowser();
  const { context } = await openContext(browser);
  const page = await context.newPage();
  await page.goto(site.origin);
  return {
    run: <R>(job: object) =>
      page.evaluate(
        (job) =>
          new Promise<R>((resolve, reject) => {
            const worker = new Worker('/worker.js', { type: 'module' });
            worker.onerror = (event) => reject(new Error(event.message));
            worker.onmessage = ({ data }: MessageEvent<{ result?: R; error?: string }>) => {
              if (data.result === undefined && data.error === undefined) return;
              worker.terminate();
              if (data.result === undefined) reject(new Error(data.error));
              else resolve(data.result);
            };
            worker.postMessage(job);
          }),
        job,
      ) as Promise<R>,
    async close() {
      await browser.close();
      await site.close();
    },
  };
}
