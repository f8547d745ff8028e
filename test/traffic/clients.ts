import { createSocket } from 'node:dgram';
import { Socket } from 'node:net';
import { AF_INET, formatAddress } from '../../src/core/address.ts';
import type { Namespace } from './namespace.ts';
import { openPair, type Pair, send } from './open-ends.ts';
import type { Accepted } from './real-servers.ts';
import { SOCK_DGRAM, SOCK_STREAM } from './sockets.ts';
import { Stream } from './stream.ts';

/** The recordings' words for what went wrong. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  ETIMEDOUT: 'timeout',
  ECONNRESET: 'reset',
  EADDRNOTAVAIL: 'addrnotavail',
  EADDRINUSE: 'addrinuse',
  EPROTO: 'proto',
};

export const wordFor = (code: string): string => WORDS[code] ?? code;

/** A connection that a server answered. */
export interface Connection {
  /** What the server said. */
  readonly name: string;
  readonly client: Stream;
  readonly server: Stream | undefined;
}

/** @returns the connection, or a word for why there is none */
export async function connectTcp(
  namespace: Namespace,
  pair: Pair,
  accepted: Accepted,
  waitMs: number,
): Promise<Connection | string> {
  const opened = openPair(namespace, SOCK_STREAM, pair);
  if (typeof opened === 'string') return wordFor(opened);
  const socket = new Socket({ fd: opened, readable: true, writable: true, allowHalfOpen: true });
  const client = new Stream(socket);
  await client.until(() => client.text !== '', waitMs);
  const server = accepted.take(formatAddress(pair.local.addr), pair.local.port);
  if (client.text !== '') return { name: client.text.trim(), client, server };
  socket.destroy();
  server?.socket.destroy();
  if (client.error !== undefined) return wordFor(client.error);
  return client.hasEnded ? 'eof' : 'timeout';
}

/** Sends one datagram. @returns the first word of its answer, or why there is none */
export async function askUdp(
  namespace: Namespace,
  pair: Pair,
  message: string,
  waitMs: number,
): Promise<string> {
  const opened = openPair(namespace, SOCK_DGRAM, pair);
  if (typeof opened === 'string') return wordFor(opened);
  const socket = createSocket(pair.remote.addr.family === AF_INET ? 'udp4' : 'udp6');
  socket.bind({ fd: opened });
  try {
    return await new Promise<string>((resolve) => {
      socket.on('message', (answer) => resolve(answer.toString('latin1').split('.')[0]!));
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(wordFor(error.code ?? error.message)));
      const error = send(opened, Buffer.from(message));
      if (error !== undefined) resolve(wordFor(error));
      setTimeout(() => resolve('timeout'), waitMs);
    });
  } finally {
    socket.close();
  }
}
