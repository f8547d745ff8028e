import { u64At } from '../netlink/wire.ts';
import type { ClientMemory, Part } from './client-memory.ts';

/** Bytes of struct msghdr, mmsghdr, iovec and sockaddr_nl on 64-bit machines, and offsets in msghdr. */
const MSGHDR_LEN = 56;
export const MMSGHDR_LENGTH_AT = MSGHDR_LEN;
const IOVEC_LEN = 16;
const SOCKADDR_NL_LEN = 12;
const NAME_LEN = 8;
const IOV = 16;
const IOV_COUNT = 24;
const CONTROL_LEN = 40;
const FLAGS = 48;
/** UIO_MAXIOV. */
const MAX_IOVECS = 1024;
const MSG_TRUNC = 0x20;

/** The kernel as the sender of a netlink datagram: family 16, port 0, no groups. */
const KERNEL_ADDRESS = Uint8Array.of(16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

export interface Piece {
  readonly address: number;
  readonly length: number;
}

/** What a client says of one message to send or to receive. */
export interface MessageHeader {
  /** The structure itself. */
  readonly raw: Buffer;
  /** Address of the sockaddr; 0: none. */
  readonly name: number;
  readonly nameLength: number;
  readonly pieces: readonly Piece[];
}

/** @returns a struct msghdr with its vector; `undefined` if the kernel would refuse it. @throws Unreachable */
export function readHeader(memory: ClientMemory, address: number): MessageHeader | undefined {
  const header = memory.read(address, MSGHDR_LEN);
  const count = number64(header, IOV_COUNT);
  if (count > MAX_IOVECS) return undefined;
  return {
    raw: header,
    name: number64(header, 0),
    nameLength: header.readUInt32LE(NAME_LEN),
    pieces: readVector(memory, number64(header, IOV), count),
  };
}

/** @returns an array of struct iovec. @throws Unreachable */
export function readVector(memory: ClientMemory, address: number, count: number): Piece[] {
  if (count === 0) return [];
  const bytes = memory.read(address, IOVEC_LEN * count);
  return Array.from({ length: count }, (_, index) => ({
    address: number64(bytes, IOVEC_LEN * index),
    length: number64(bytes, IOVEC_LEN * index + 8),
  }));
}

export const totalLength = (pieces: readonly Piece[]): number =>
  pieces.reduce((sum, { length }) => sum + length, 0);

/** @throws Unreachable */
export function gather(memory: ClientMemory, pieces: readonly Piece[]): Buffer {
  const [only] = pieces;
  if (pieces.length === 1 && only) return memory.read(only.address, only.length);
  return Buffer.concat(
    pieces.filter(({ length }) => length > 0).map(({ address, length }) => memory.read(address, length)),
  );
}

/** Fills the pieces in their order, as far as there is room. */
export function scatter(pieces: readonly Piece[], bytes: Uint8Array): Part[] {
  const parts: Part[] = [];
  let done = 0;
  for (const { address, length } of pieces) {
    const part = bytes.subarray(done, done + length);
    if (part.length > 0) parts.push({ address, bytes: part });
    done += part.length;
  }
  return parts;
}

export const partsLength = (parts: readonly Part[]): number =>
  parts.reduce((sum, { bytes }) => sum + bytes.length, 0);

/** @returns the port that a sockaddr names; 0, the kernel's, where there is none. @throws Unreachable */
export function destinationPort(memory: ClientMemory, name: number, length: number): number {
  return name === 0 || length < SOCKADDR_NL_LEN ? 0 : memory.read(name, SOCKADDR_NL_LEN).readUInt32LE(4);
}

/** Says in a struct msghdr that the kernel sent a datagram, and whether it was cut. */
export function receivedHeader(
  address: number,
  { raw, name, nameLength }: MessageHeader,
  isCut: boolean,
): Part[] {
  const parts: Part[] = [];
  if (name !== 0) {
    parts.push({ address: name, bytes: KERNEL_ADDRESS.subarray(0, nameLength) });
    raw.writeUInt32LE(SOCKADDR_NL_LEN, NAME_LEN);
  }
  raw.fill(0, CONTROL_LEN, FLAGS);
  raw.writeUInt32LE(isCut ? MSG_TRUNC : 0, FLAGS);
  parts.push({ address: address + NAME_LEN, bytes: raw.subarray(NAME_LEN) });
  return parts;
}

/** Says the same in the arguments of recvfrom(). @throws Unreachable */
export function receivedSender(memory: ClientMemory, name: number, lengthAt: number): Part[] {
  if (name === 0) return [];
  const room = memory.read(lengthAt, 4).readUInt32LE(0);
  return [
    { address: name, bytes: KERNEL_ADDRESS.subarray(0, room) },
    { address: lengthAt, bytes: u32(SOCKADDR_NL_LEN) },
  ];
}

export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** Addresses of user space are below 2^53; anything above is as bad as 2^53. */
function number64(bytes: Buffer, at: number): number {
  return u64At(bytes, at);
}
