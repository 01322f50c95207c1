/**
 * A long way to a UDP port: what comes to this host goes on to the other, and back, each packet held back for as long as the test says.
 * Kernels of small machines have no netem; this needs none.
 */
import { spawn } from 'node:child_process';
import type { Namespace } from './namespace.ts';

export interface DelayLine {
  /** Of every packet from now on, each way, milliseconds. */
  hold(ms: number): void;
  close(): void;
}

/**
 * Runs in the host: one socket for each that sends, so that answers find their way. The delay is a line on standard input; a line on
 * standard output says that the port is open.
 */
const SCRIPT = `
  const dgram = require('node:dgram');
  const [port, address] = process.argv.slice(1);
  let ms = 0;
  process.stdin.on('data', (text) => (ms = Number(String(text).trim().split('\\n').at(-1))));
  process.stdin.on('end', () => process.exit());
  const later = (work) => (ms === 0 ? work() : setTimeout(work, ms));
  const near = dgram.createSocket('udp4');
  const far = new Map();
  near.on('message', (packet, { port: fromPort, address: from }) => {
    const key = from + ' ' + fromPort;
    let socket = far.get(key);
    if (!socket) {
      socket = dgram.createSocket('udp4');
      socket.on('error', () => undefined);
      socket.on('message', (answer) => later(() => near.send(answer, fromPort, from)));
      far.set(key, socket);
    }
    later(() => socket.send(packet, Number(port), address));
  });
  near.on('error', () => undefined);
  near.bind(Number(port), () => console.log('ready'));`;

/** @param to  host of the same internet; the port is the same there */
export async function openDelayLine(at: Namespace, to: Namespace, port: number): Promise<DelayLine> {
  const args = ['netns', 'exec', at.name, process.execPath, '-e', SCRIPT, String(port), to.address];
  const child = spawn('ip', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('exit', () => reject(new Error(`no UDP port ${port} at ${at.address}`)));
  });
  return {
    hold: (ms) => void child.stdin.write(`${ms}\n`),
    close: () => void child.kill('SIGKILL'),
  };
}
