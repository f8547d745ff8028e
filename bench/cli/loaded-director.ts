import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { processPaths, runtimeDir, socketPath } from '../../src/control/paths.ts';
import { ControlServer } from '../../src/control/server.ts';
import { NetlinkSession } from '../../src/netlink/server.ts';
import { WorkerPort } from '../../src/worker-port.ts';
import type { Holds } from './loaded-worker.ts';

/*
 * The main thread of a director whose worker already has connection entries; at the end it says how long a question
 * held the worker at the most.
 */
const worker = new Worker(new URL('./loaded-worker.js', import.meta.url));
await once(worker, 'message');
const director = new WorkerPort(worker, (line) => process.stderr.write(`${line}\n`));
const server = new ControlServer({
  path: socketPath(runtimeDir(processPaths()).path),
  mode: 0o600,
  warn: (line) => process.stderr.write(`${line}\n`),
  createSession: () => new NetlinkSession(director),
});
await server.listen();
process.stderr.write('ready\n');
process.once('SIGTERM', async () => {
  worker.removeAllListeners('message').on('message', ({ holds }: { readonly holds: Holds }) => {
    const { count, longestMs, longestWallMs, longestGcMs } = holds;
    process.stdout.write(
      `longest hold ${longestMs.toFixed(2)} ms of ${count}; ${longestWallMs.toFixed(2)} ms with waits for a ` +
        `processor; longest pause of the garbage collector ${longestGcMs.toFixed(2)} ms\n`,
    );
    void worker.terminate();
  });
  worker.postMessage('report');
  await server.close(100);
});
