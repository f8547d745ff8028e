import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

/*
 * Connections that people type into now and then: `serve PORT` sends back what it gets; `hold HOST PORT COUNT` opens
 * connections, uses each a little and prints `open N`. For each line of its input it uses every connection once and
 * prints `alive N`: how many have answered within ten seconds.
 */
const [, , verb, ...args] = process.argv;
const ANSWER_MS = 10_000;
/** More than the packets after which a connection is told to other directors. */
const FIRST_TALKS = 3;

if (verb === 'serve') serve(Number(args[0]));
else await hold(args[0]!, Number(args[1]), Number(args[2]));

function serve(port: number): void {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  });
  server.listen(port, () => process.stdout.write('listening\n'));
}

async function hold(host: string, port: number, count: number): Promise<void> {
  const sockets = Array.from({ length: count }, () => connect(port, host));
  for (const socket of sockets) socket.on('error', () => socket.destroy());
  let open = 0;
  for (let n = 0; n < FIRST_TALKS; n++) open = await talkAll(sockets);
  process.stdout.write(`open ${open}\n`);
  for await (const _ of createInterface({ input: process.stdin }))
    process.stdout.write(`alive ${await talkAll(sockets)}\n`);
  for (const socket of sockets) socket.destroy();
}

async function talkAll(sockets: readonly Socket[]): Promise<number> {
  const answered = await Promise.all(sockets.map(talk));
  return answered.filter(Boolean).length;
}

/** @returns whether the other end has answered */
async function talk(socket: Socket): Promise<boolean> {
  if (socket.destroyed) return false;
  socket.write('x');
  try {
    await once(socket, 'data', { signal: AbortSignal.timeout(ANSWER_MS) });
    return true;
  } catch {
    return false;
  }
}
