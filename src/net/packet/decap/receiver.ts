import { closeSync } from 'node:fs';
import { DeviceError } from '../../device-error.ts';
import { type Arena, native, type SystemCalls } from '../../ffi/native.ts';

// From the headers of Linux; alike on all architectures that Node runs on.
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SO_RCVBUFFORCE = 33;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IPPROTO_UDP = 17;
const UDP_NO_CHECK6_RX = 102;
const AF_INET6 = 10;

/** Enough for the packets of a few milliseconds. */
const RECEIVE_BYTES = 8 * 2 ** 20;
const SOCKADDR_BYTES = 28;
const UDP_HEADER_BYTES = 8;

/** What is received: all packets of an IP protocol, or the datagrams to a UDP port. */
export type Reception =
  | { readonly family: number; readonly protocol: number }
  | { readonly family: number; readonly udpPort: number };

/**
 * Opens a socket that receives from all addresses, and nothing that is empty: an empty read would look like the end.
 * @returns the descriptor, which the caller owns
 * @throws DeviceError
 */
export function openReceiver(reception: Reception): number {
  const isUdp = 'udpPort' in reception;
  const { family } = reception;
  const fd = isUdp
    ? call('socket', 'socket', family, SOCK_DGRAM | SOCK_CLOEXEC, 0)
    : call('socket', 'socket', family, SOCK_RAW | SOCK_CLOEXEC, reception.protocol);
  try {
    dropEmpty(fd, isUdp ? UDP_HEADER_BYTES : 0);
    setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BYTES);
    if (isUdp) {
      if (family === AF_INET6) {
        setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
        // Tunnels may leave the outer sum out (RFC 6935).
        setOption(fd, IPPROTO_UDP, UDP_NO_CHECK6_RX, 1);
      }
      bind(fd, family, reception.udpPort);
    }
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return fd;
}

/** Attaches a filter that keeps what is longer than the header. */
function dropEmpty(fd: number, headerBytes: number): void {
  const { bytes, address } = scratch();
  const instructions = [
    // ld len; jgt #headerBytes, 0, 1; ret all; ret nothing
    [0x80, 0, 0, 0],
    [0x25, 0, 1, headerBytes],
    [0x06, 0, 0, 0x7fffffff],
    [0x06, 0, 0, 0],
  ] as const;
  const program = 16;
  bytes.writeUInt16LE(instructions.length, 0);
  bytes.writeBigUInt64LE(BigInt(address + program), 8);
  for (const [i, [code, jumpTrue, jumpFalse, k]] of instructions.entries()) {
    const at = program + i * 8;
    bytes.writeUInt16LE(code, at);
    bytes.writeUInt8(jumpTrue, at + 2);
    bytes.writeUInt8(jumpFalse, at + 3);
    bytes.writeUInt32LE(k, at + 4);
  }
  call('attach a filter to a socket', 'setsockopt', fd, SOL_SOCKET, SO_ATTACH_FILTER, address, 16);
}

function setOption(fd: number, level: number, option: number, value: number): void {
  const { bytes, address } = scratch();
  bytes.writeInt32LE(value, 0);
  call(`set socket option ${option}`, 'setsockopt', fd, level, option, address, 4);
}

function bind(fd: number, family: number, port: number): void {
  const { bytes, address } = scratch();
  bytes.fill(0, 0, SOCKADDR_BYTES);
  bytes.writeUInt16LE(family, 0);
  bytes.writeUInt16BE(port, 2);
  call('bind', 'bind', fd, address, family === AF_INET6 ? SOCKADDR_BYTES : 16);
}

function call(operation: string, name: keyof SystemCalls, ...args: CallArguments): number {
  const result = native().syscall(native().calls[name], ...args);
  if (result < 0) throw new DeviceError(operation, result);
  return result;
}

type CallArguments = [a: number, b: number, c: number, d?: number, e?: number];

let arena: Arena | undefined;

/** Memory for one call's arguments. */
function scratch(): Arena {
  arena ??= native().arena(4096);
  return arena;
}
