import { closeSync } from 'node:fs';
import { type Address, AF_INET6, addressBytes, type Family } from '../../src/core/address.ts';
import { DeviceError, errnoText } from '../../src/net/device-error.ts';
import { type Arena, native } from '../../src/net/ffi/native.ts';

// From the headers of Linux; alike on all architectures that Node runs on, but for the numbers of calls.
const CALLS = {
  x64: { recvfrom: 45, setns: 308 },
  arm64: { recvfrom: 207, setns: 268 },
}[process.arch as 'x64' | 'arm64'];
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const IPPROTO_RAW = 255;
const SOCK_NONBLOCK_CLOEXEC = 0o2004000;
const AF_PACKET = 17;
const ALL_PROTOCOLS_BE = 0x0300;
const CLONE_NEWNET = 0x40000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_RCVBUFFORCE = 33;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const SOL_IP = 0;
const IP_MTU_DISCOVER = 10;
const MSG_DONTWAIT = 0x40;
const SIOCGIFINDEX = 0x8933;
const EAGAIN = -11;
const EINPROGRESS = -115;

const PACKET_BYTES = 65_536;
const SNIFFER_BYTES = 16 * 2 ** 20;
/** Where the arena has room for an address, and for its length. */
const ADDRESS_AT = PACKET_BYTES;
const LENGTH_AT = ADDRESS_AT + 128;

/** Moves the calling thread into the network namespace of a descriptor. @throws DeviceError */
export function enterNamespace(fd: number): void {
  check('setns', native().syscall(CALLS.setns, fd, CLONE_NEWNET));
}

/** @returns the descriptor of a socket of the thread's network namespace, which doesn't block @throws DeviceError */
export function openSocket(family: Family, type: number, protocol = 0): number {
  const fd = check(
    'socket',
    native().syscall(native().calls.socket, family, type | SOCK_NONBLOCK_CLOEXEC, protocol),
  );
  if (type === SOCK_RAW) return fd;
  setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (family === AF_INET6) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  return fd;
}

/** Lets datagrams be sent in fragments, whatever is known of the path. */
export function allowFragments(fd: number): void {
  setOption(fd, SOL_IP, IP_MTU_DISCOVER, 0);
}

/** @returns the errno's name, or `undefined` if it worked */
export const bindTo = (fd: number, addr: Address, port: number): string | undefined =>
  withAddress('bind', fd, addr, port);

/** Begins to connect. @returns the errno's name, or `undefined` if it is under way or done */
export const connectTo = (fd: number, addr: Address, port: number): string | undefined =>
  withAddress('connect', fd, addr, port);

/** Records the packets of one device of the thread's network namespace. */
export class PacketSocket {
  private readonly fd: number;

  /** @throws DeviceError */
  constructor(device: string) {
    const { syscall, calls } = { syscall: native().syscall.bind(native()), calls: native().calls };
    const { bytes, view, address } = scratch();
    this.fd = check('socket', syscall(calls.socket, AF_PACKET, SOCK_DGRAM, ALL_PROTOCOLS_BE));
    setOption(this.fd, SOL_SOCKET, SO_RCVBUFFORCE, SNIFFER_BYTES);
    bytes.fill(0, 0, 40);
    bytes.write(device, 0, 'latin1');
    check('find a device', syscall(calls.ioctl, this.fd, SIOCGIFINDEX, address));
    const index = view.getInt32(16, true);
    // struct sockaddr_ll: family, protocol (big-endian), index, and what is only filled in by the kernel
    bytes.fill(0, 0, 40);
    view.setUint16(0, AF_PACKET, true);
    view.setUint16(2, ALL_PROTOCOLS_BE, true);
    view.setInt32(4, index, true);
    check('bind', syscall(calls.bind, this.fd, address, 20));
  }

  /** @returns the next packet, from the IP header on, or `undefined` if there is none */
  next(): { readonly etherType: number; readonly isOutgoing: boolean; readonly bytes: Buffer } | undefined {
    const { bytes, view, address } = scratch();
    view.setUint32(LENGTH_AT, 20, true);
    const length = native().syscall(
      CALLS.recvfrom,
      this.fd,
      address,
      PACKET_BYTES,
      MSG_DONTWAIT,
      address + ADDRESS_AT,
      address + LENGTH_AT,
    );
    if (length === EAGAIN) return undefined;
    check('recvfrom', length);
    const etherType = view.getUint16(ADDRESS_AT + 2, false);
    const isOutgoing = view.getUint8(ADDRESS_AT + 10) === 4;
    return { etherType, isOutgoing, bytes: Buffer.from(bytes.subarray(0, length)) };
  }

  close(): void {
    closeSync(this.fd);
  }
}

function withAddress(name: 'bind' | 'connect', fd: number, addr: Address, port: number): string | undefined {
  const { bytes, address } = scratch();
  const isV6 = addr.family === AF_INET6;
  bytes.fill(0, 0, 28);
  bytes.writeUInt16LE(addr.family, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(addressBytes(addr), isV6 ? 8 : 4);
  const result = native().syscall(native().calls[name], fd, address, isV6 ? 28 : 16);
  return result >= 0 || result === EINPROGRESS ? undefined : errnoText(-result);
}

function setOption(fd: number, level: number, option: number, value: number): void {
  const { view, address } = scratch();
  view.setInt32(0, value, true);
  check('setsockopt', native().syscall(native().calls.setsockopt, fd, level, option, address, 4));
}

function check(what: string, result: number): number {
  if (result < 0) throw new DeviceError(what, result);
  return result;
}

let arena: Arena | undefined;

/** Memory for the arguments of one call. */
function scratch(): Arena {
  arena ??= native().arena(PACKET_BYTES + 4096);
  return arena;
}
