import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { type Address, parseAddress } from '../../src/core/address.ts';

export const VIP = '127.10.0.1';
export const SERVER = '127.10.1.1';

export function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`not an address: ${text}`);
  return parsed;
}

/** Waits until something holds; fails the test if it does not within 5 s. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  for (let waited = 0; !holds(); waited += 5) {
    if (waited > 5000) throw new Error(`waited in vain until ${what}`);
    await sleep(5);
  }
}

export interface TcpServer {
  readonly addr: Address;
  readonly port: number;
  /** Connections it has accepted, oldest first. */
  readonly accepted: Socket[];
  close(): void;
}

/** A TCP server that leaves each connection to `serve`; closed with its connections after the test. */
export async function tcpServer(serve: (socket: Socket) => void, host = SERVER): Promise<TcpServer> {
  const accepted: Socket[] = [];
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => {});
    accepted.push(socket);
    serve(socket);
  });
  server.listen({ host, port: 0, exclusive: true });
  await once(server, 'listening');
  const close = (): void => {
    server.close();
    for (const socket of accepted) socket.destroy();
  };
  onTestFinished(close);
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('the server has no port');
  return { addr: address(host), port: bound.port, accepted, close };
}

export const echo = (socket: Socket): void => void socket.pipe(socket);

/** A port of the address where nothing listens. */
export async function freePort(host: string): Promise<number> {
  const server = createServer().listen({ host, port: 0, exclusive: true });
  await once(server, 'listening');
  const bound = server.address();
  server.close();
  await once(server, 'close');
  if (bound === null || typeof bound === 'string') throw new Error('no port');
  return bound.port;
}

export interface Client {
  readonly socket: Socket;
  /** What has come so far. */
  received(): Buffer;
  /** 'end', or the code of the error; `undefined` while open. */
  outcome(): string | undefined;
}

/** Connects to the virtual service; its socket is destroyed after the test. */
export function dial(
  port: number,
  options: { host?: string; paused?: boolean; localPort?: number } = {},
): Client {
  const { host = VIP, paused = false, localPort } = options;
  const from = localPort === undefined ? {} : { localPort, localAddress: '127.0.0.1' };
  const socket = connect({ host, port, allowHalfOpen: true, noDelay: true, ...from });
  const chunks: Buffer[] = [];
  let outcome: string | undefined;
  if (!paused) socket.on('data', (chunk: Buffer) => void chunks.push(chunk));
  socket.on('end', () => {
    outcome ??= 'end';
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    outcome ??= error.code ?? 'error';
  });
  onTestFinished(() => void socket.destroy());
  return { socket, received: () => Buffer.concat(chunks), outcome: () => outcome };
}

/** Bytes that differ at every place, the same for the same length. */
export function pattern(length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = 0x9e3779b9 ^ length;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}
