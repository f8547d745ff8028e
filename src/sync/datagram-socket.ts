import { createSocket, type Socket } from 'node:dgram';
import { AF_INET, type Family } from '../core/address.ts';

/**
 * Puts a datagram socket that was prepared elsewhere on Node's loop, which owns it from here on.
 *
 * @param onMessage called with each datagram and its sender's address
 * @param onError called with what a call of the loop met; sends tell their own errors
 */
export function adoptSocket(
  fd: number,
  family: Family,
  onMessage: (bytes: Uint8Array, from: string) => void,
  onError: (error: Error) => void,
): Socket {
  const socket = createSocket({
    type: family === AF_INET ? 'udp4' : 'udp6',
    // Groups are given as numbers: there is nothing to look up.
    lookup: (address, _options, done) => done(null, address, family === AF_INET ? 4 : 6),
  });
  socket.on('message', (bytes, { address }) => onMessage(bytes, address));
  socket.on('error', onError);
  socket.bind({ fd });
  return socket;
}
