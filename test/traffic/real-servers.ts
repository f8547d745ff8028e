import { createSocket } from 'node:dgram';
import { createServer, type Socket } from 'node:net';
import { type Address, AF_INET, parseAddress } from '../../src/core/address.ts';
import type { Namespace } from './namespace.ts';
import { sendDatagram } from './open-ends.ts';
import { bindTo, openSocket, SOCK_DGRAM, SOCK_STREAM } from './sockets.ts';
import { Stream } from './stream.ts';

const TCP_PORTS = [80, 443, 8080];
const UDP_PORTS = [53, 80, 5353];
const BACKLOG = 256;
const ANY = [parseAddress('0.0.0.0')!, parseAddress('::')!];

/** What the hosts of a scenario have accepted, by the client's address and port. */
export class Accepted {
  private readonly streams = new Map<string, Stream>();

  put(socket: Socket): void {
    this.streams.set(`${socket.remoteAddress} ${socket.remotePort}`, new Stream(socket));
  }

  /** @returns the server's end of a client's newest connection */
  take(address: string, port: number): Stream | undefined {
    const key = `${address} ${port}`;
    const stream = this.streams.get(key);
    this.streams.delete(key);
    return stream;
  }
}

/** Where a host takes datagrams, and whence it answers: from where they were sent to, unless this says otherwise. */
export interface UdpPlace {
  readonly address: string;
  readonly answersFrom?: string;
}

/**
 * Serves in a namespace: TCP says the host's name to each client; UDP answers with that name, padded to the size that
 * the datagram's first four digits want.
 */
export function serve(namespace: Namespace, places: readonly UdpPlace[], accepted: Accepted): void {
  for (const any of ANY) for (const port of TCP_PORTS) serveTcp(namespace, any, port, accepted);
  for (const place of places) for (const port of UDP_PORTS) serveUdp(namespace, place, port);
}

function serveTcp(namespace: Namespace, address: Address, port: number, accepted: Accepted): void {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted.put(socket);
    socket.write(`${namespace.name}\n`);
  });
  server.listen({ fd: openBound(namespace, SOCK_STREAM, address, port), backlog: BACKLOG });
}

function serveUdp(namespace: Namespace, { address, answersFrom }: UdpPlace, port: number): void {
  const bound = parseAddress(address)!;
  const socket = createSocket(bound.family === AF_INET ? 'udp4' : 'udp6');
  socket.on('message', (message, from) => {
    const size = Number(message.toString('latin1', 0, 4));
    if (Number.isNaN(size)) return;
    const answer = namespace.name.padEnd(size, '.');
    if (answersFrom === undefined) {
      socket.send(answer, from.port, from.address);
      return;
    }
    const local = { addr: parseAddress(answersFrom)!, port };
    const remote = { addr: parseAddress(from.address)!, port: from.port };
    sendDatagram(namespace, { local, remote }, answer);
  });
  socket.on('error', () => {});
  socket.bind({ fd: openBound(namespace, SOCK_DGRAM, bound, port) });
}

function openBound(namespace: Namespace, type: number, address: Address, port: number): number {
  const fd = namespace.inside(() => openSocket(address.family, type));
  const error = bindTo(fd, address, port);
  if (error !== undefined) throw new Error(`${namespace.name}: bind to port ${port}: ${error}`);
  return fd;
}
