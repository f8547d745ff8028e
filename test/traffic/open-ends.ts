import { closeSync, writeSync } from 'node:fs';
import { errnoText, negativeErrno } from '../../src/net/device-error.ts';
import type { End } from '../replay/step.ts';
import type { Namespace } from './namespace.ts';
import { allowFragments, bindTo, connectTo, openSocket, SOCK_DGRAM } from './sockets.ts';

const FLOCK = 250;

/** Whence and whither. */
export interface Pair {
  readonly local: End;
  readonly remote: End;
}

/** Sends one datagram and waits for no answer. @returns an errno's name, or `undefined` if it was sent */
export function sendDatagram(namespace: Namespace, pair: Pair, message: string): string | undefined {
  const opened = openPair(namespace, SOCK_DGRAM, pair);
  if (typeof opened === 'string') return opened;
  const error = send(opened, Buffer.from(message));
  closeSync(opened);
  return error;
}

/** Sends a datagram so many times. @param rest called after each flock @returns how many could be sent */
export async function sendMany(
  namespace: Namespace,
  pair: Pair,
  message: string,
  count: number,
  rest: (sent: number) => Promise<void>,
): Promise<number> {
  const opened = openPair(namespace, SOCK_DGRAM, pair);
  if (typeof opened === 'string') throw new Error(`send datagrams: ${opened}`);
  allowFragments(opened);
  const bytes = Buffer.from(message);
  let sent = 0;
  for (let i = 1; i <= count; i++) {
    if (send(opened, bytes) === undefined) sent++;
    if (i % FLOCK === 0) await rest(sent);
  }
  closeSync(opened);
  return sent;
}

/** @returns an errno's name, or `undefined` if it was sent */
export function send(fd: number, message: Buffer): string | undefined {
  try {
    writeSync(fd, message);
    return undefined;
  } catch (error) {
    return errnoText(-negativeErrno(error));
  }
}

/** Opens a socket in a namespace, binds it and begins to connect. @returns a descriptor, or an errno's name */
export function openPair(namespace: Namespace, type: number, { local, remote }: Pair): number | string {
  const fd = namespace.inside(() => openSocket(remote.addr.family, type));
  const error = bindTo(fd, local.addr, local.port) ?? connectTo(fd, remote.addr, remote.port);
  if (error === undefined) return fd;
  closeSync(fd);
  return error;
}
