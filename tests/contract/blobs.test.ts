import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileBlobs } from '../../signal/blobs/filesystem.ts';
import { blobsContract } from './blobs.contract.ts';

blobsContract('in a folder', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'parley-blobs-'));
  return {
    blobs: await FileBlobs.open(folder),
    again: () => FileBlobs.open(folder),
    everything: async () =>
      Buffer.concat(await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name))))),
    close: () => rm(folder, { recursive: true, force: true }),
  };
});
