import { createSocket } from 'node:dgram';
import { createServer, type Socket } from 'node:net';
import { ByteStream } from './byte-stream.ts';

/*
 * A server process for tests: `traffic-server KIND ADDRESS PORT [BYTES]`; prints a line when it serves.
 *   send   sends BYTES of a ByteStream to each client, then ends
 *   echo   UDP: sends each datagram back
 */
const [kind, host, port, bytes] = process.argv.slice(2) as [string, string, string, string?];

if (kind === 'echo') {
  const socket = createSocket('udp4');
  socket.on('message', (message, from) => socket.send(message, from.port, from.address));
  socket.bind({ port: Number(port), address: host }, () => {
    socket.setRecvBufferSize(1 << 22);
    process.stdout.write('ready\n');
  });
} else {
  const server = createServer((socket) => send(socket, Number(bytes)));
  server.listen({ port: Number(port), host, backlog: 511 }, () => process.stdout.write('ready\n'));
}

function send(socket: Socket, total: number): void {
  const stream = new ByteStream();
  let left = total;
  const more = (): void => {
    while (left > 0) {
      const block = Buffer.from(stream.nextBlock().subarray(0, left));
      left -= block.length;
      if (!socket.write(block)) return;
    }
    socket.end();
  };
  socket.on('error', () => socket.destroy());
  socket.on('drain', more);
  more();
}
