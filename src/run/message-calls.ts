import { MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC } from './abi.ts';
import type { ClientMemory, Part } from './client-memory.ts';
import type { Call } from './listener.ts';
import {
  destinationPort,
  type MessageHeader,
  MMSGHDR_LENGTH_AT,
  type Piece,
  partsLength,
  readHeader,
  readVector,
  receivedHeader,
  receivedSender,
  scatter,
  u32,
} from './message-header.ts';

export const SEND_CALLS = ['sendmsg', 'sendto', 'write', 'writev', 'sendmmsg'] as const;
export const RECEIVE_CALLS = ['recvmsg', 'recvfrom', 'read', 'readv', 'recvmmsg'] as const;
export type SendName = (typeof SEND_CALLS)[number];
export type ReceiveName = (typeof RECEIVE_CALLS)[number];

/** A datagram that a program sends; of several in one call the first: the call may say that it sent one. */
export interface Outgoing {
  readonly pieces: readonly Piece[];
  /** Port of the receiver, 0: the kernel. */
  readonly port: number;
}

/** @returns `undefined` for what the kernel would refuse. @throws Unreachable */
export function readOutgoing(memory: ClientMemory, name: SendName, { args }: Call): Outgoing | undefined {
  const [, first = 0, second = 0, , fourth = 0, fifth = 0] = args;
  switch (name) {
    case 'sendto':
      return {
        pieces: [{ address: first, length: second }],
        port: destinationPort(memory, fourth, fifth),
      };
    case 'write':
      return { pieces: [{ address: first, length: second }], port: 0 };
    case 'writev':
      return { pieces: readVector(memory, first, second), port: 0 };
    case 'sendmmsg':
      if (second === 0) return undefined;
      return ofHeader(memory, readHeader(memory, first));
    case 'sendmsg':
      return ofHeader(memory, readHeader(memory, first));
  }
}

/** Tells the program that its datagram was sent. @returns the result of the call. @throws Unreachable */
export function sent(memory: ClientMemory, name: SendName, { args }: Call, length: number): number {
  if (name !== 'sendmmsg') return length;
  memory.write(args[1]! + MMSGHDR_LENGTH_AT, u32(length));
  return 1;
}

/** Flags of a call that receives: MSG_*. */
export function receiveFlags(name: ReceiveName, { args }: Call): number {
  if (name === 'recvmsg') return args[2]!;
  return name === 'recvfrom' || name === 'recvmmsg' ? args[3]! : 0;
}

export const isPeek = (flags: number): boolean => (flags & MSG_PEEK) !== 0;
export const isImmediate = (flags: number): boolean => (flags & MSG_DONTWAIT) !== 0;

/** Puts a datagram where a program wants to receive it. @returns the result of the call. @throws Unreachable */
export function deliver(memory: ClientMemory, name: ReceiveName, call: Call, datagram: Uint8Array): number {
  const [, first = 0, second = 0, , fourth = 0, fifth = 0] = call.args;
  const result = (parts: readonly Part[]): number =>
    (receiveFlags(name, call) & MSG_TRUNC) !== 0 ? datagram.length : partsLength(parts);
  /** @param rest what is written beside the datagram */
  const give = (parts: readonly Part[], rest: readonly Part[]): number => {
    memory.writeAll([...parts, ...rest]);
    return result(parts);
  };
  switch (name) {
    case 'read':
      return give(scatter([{ address: first, length: second }], datagram), []);
    case 'readv':
      return give(scatter(readVector(memory, first, second), datagram), []);
    case 'recvfrom':
      return give(
        scatter([{ address: first, length: second }], datagram),
        receivedSender(memory, fourth, fifth),
      );
    case 'recvmsg': {
      const { parts, rest } = headerParts(memory, first, datagram);
      return give(parts, rest);
    }
    case 'recvmmsg': {
      const { parts, rest } = headerParts(memory, first, datagram);
      give(parts, [...rest, { address: first + MMSGHDR_LENGTH_AT, bytes: u32(result(parts)) }]);
      return 1;
    }
  }
}

function headerParts(
  memory: ClientMemory,
  address: number,
  datagram: Uint8Array,
): { parts: readonly Part[]; rest: readonly Part[] } {
  const header = readHeader(memory, address);
  if (!header) return { parts: [], rest: [] };
  const parts = scatter(header.pieces, datagram);
  return { parts, rest: receivedHeader(address, header, partsLength(parts) < datagram.length) };
}

function ofHeader(memory: ClientMemory, header: MessageHeader | undefined): Outgoing | undefined {
  if (!header) return undefined;
  return { pieces: header.pieces, port: destinationPort(memory, header.name, header.nameLength) };
}
