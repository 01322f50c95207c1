/** Loaded before a server that is measured (`--expose-gc --import`): SIGUSR2 collects garbage, so that memory is what is in use. */
process.on('SIGUSR2', () => void globalThis.gc?.());
