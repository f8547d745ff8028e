import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import type { Address } from '../../src/core/address.ts';
import { address, SERVER, VIP } from './sockets.ts';

export interface UdpServer {
  readonly addr: Address;
  readonly port: number;
  readonly socket: Socket;
  /** Where its datagrams came from, oldest first. */
  readonly peers: RemoteInfo[];
  close(): void;
}

/** A UDP server that sends each datagram back; closed after the test. */
export async function udpServer(host = SERVER): Promise<UdpServer> {
  const { socket, close } = await bound(host);
  const peers: RemoteInfo[] = [];
  socket.on('message', (data, from) => {
    peers.push(from);
    socket.send(data, from.port, from.address);
  });
  return { addr: address(host), port: socket.address().port, socket, peers, close };
}

export interface UdpClient {
  readonly port: number;
  readonly received: string[];
  send(text: string): void;
  close(): void;
}

/** A client connected to the virtual service, so that it hears nobody else; closed after the test. */
export async function udpClient(vport: number, vip = VIP): Promise<UdpClient> {
  const { socket, close } = await bound(vip.includes(':') ? '::1' : '127.0.0.1');
  const received: string[] = [];
  socket.on('message', (data) => void received.push(data.toString()));
  socket.on('error', () => {});
  socket.connect(vport, vip);
  await once(socket, 'connect');
  const { port } = socket.address();
  return { port, received, send: (text) => socket.send(text), close };
}

async function bound(host: string): Promise<{ socket: Socket; close: () => void }> {
  const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 1 << 20 });
  socket.bind({ address: host, port: 0, exclusive: true });
  await once(socket, 'listening');
  let open = true;
  const close = (): void => {
    if (open) socket.close();
    open = false;
  };
  onTestFinished(close);
  return { socket, close };
}
