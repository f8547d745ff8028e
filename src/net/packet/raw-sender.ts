import { closeSync, writeSync } from 'node:fs';
import { LRUCache } from 'lru-cache';
import { type Address, AF_INET, addressBytes } from '../../core/address.ts';
import { negativeErrno } from '../device-error.ts';
import { type Arena, native } from '../ffi/native.ts';

const SOCK_RAW = 3;
const SOCK_NONBLOCK_CLOEXEC = 0o4000 | 0o2000000;

/** Makes the IP header the sender's own, for both families. Such sockets receive nothing. */
const IPPROTO_RAW = 255;
const SOL_SOCKET = 1;
const SO_MARK = 36;
const SO_SNDBUFFORCE = 32;

/** Sized for bursts: packets wait here while their device's queue is full. */
const SEND_BUFFER_BYTES = 4 * 2 ** 20;

const SOCKADDR_IN_BYTES = 16;
const SOCKADDR_IN6_BYTES = 28;
const DEFAULT_SOCKETS = 256;

/** Errors that another socket to the same address would meet too: the packet is at fault, or there is no room. */
const EAGAIN = -11;
const EMSGSIZE = -90;
const ENOBUFS = -105;

/** Given so that a look-up allocates no options. */
const LOOK_UP = {};

export interface RawSenderOptions {
  /** SO_MARK of the packets, by which the host knows them as ours. */
  readonly mark: number;
  /** Sockets kept open; the one unused for longest is closed for another. */
  readonly sockets?: number;
}

/**
 * Sends finished IP packets to a next hop of our choice: each goes to the address that its socket is connected to,
 * whatever its own destination says, and leaves as it is. The kernel only sets the total length and the checksum of IPv4
 * headers, and an identification that is 0 without DF. Needs CAP_NET_RAW, and CAP_NET_ADMIN for the mark.
 */
export class RawSender {
  private readonly mark: number;
  private readonly memory = native().arena(SOCKADDR_IN6_BYTES);
  private readonly sockets: LRUCache<number | string, number>;
  /** IPv6 keys are texts; an address that is used again brings its own. */
  private readonly keys = new WeakMap<Address, string>();

  /** @throws DeviceError if the kernel cannot be called from here */
  constructor({ mark, sockets = DEFAULT_SOCKETS }: RawSenderOptions) {
    this.mark = mark;
    this.sockets = new LRUCache({ max: sockets, dispose: (fd) => closeSync(fd) });
  }

  /**
   * Allocates nothing once an address is known; an IPv6 address is known as the object that it is.
   * @returns the bytes sent, or -errno: EMSGSIZE beyond the MTU of the way, ENOBUFS or EAGAIN without room, ENETUNREACH or
   *   EHOSTUNREACH without a way
   */
  send(to: Address, bytes: Uint8Array, at: number, length: number): number {
    const key = to.family === AF_INET ? to.words[0] : this.textOf(to);
    let fd = this.sockets.get(key, LOOK_UP);
    if (fd === undefined) {
      fd = this.connect(to);
      if (fd < 0) return fd;
      this.sockets.set(key, fd);
    }
    try {
      return writeSync(fd, bytes, at, length);
    } catch (error) {
      const result = negativeErrno(error);
      // A socket keeps the source address that it was connected with, which the host may have lost since.
      if (result !== EAGAIN && result !== EMSGSIZE && result !== ENOBUFS) this.sockets.delete(key);
      return result;
    }
  }

  /** Sockets open. */
  get size(): number {
    return this.sockets.size;
  }

  close(): void {
    this.sockets.clear();
    native().release(this.memory);
  }

  private textOf(address: Address): string {
    const known = this.keys.get(address);
    if (known !== undefined) return known;
    const text = address.words.join();
    this.keys.set(address, text);
    return text;
  }

  /** @returns a descriptor, or -errno */
  private connect(to: Address): number {
    const kernel = native();
    const { calls } = kernel;
    const { memory } = this;
    const fd = kernel.syscall(calls.socket, to.family, SOCK_RAW | SOCK_NONBLOCK_CLOEXEC, IPPROTO_RAW);
    if (fd < 0) return fd;
    const setOption = (option: number, value: number): number => {
      memory.view.setInt32(0, value, true);
      return kernel.syscall(calls.setsockopt, fd, SOL_SOCKET, option, memory.address, 4);
    };
    let result = setOption(SO_MARK, this.mark);
    if (result === 0) {
      setOption(SO_SNDBUFFORCE, SEND_BUFFER_BYTES);
      result = kernel.syscall(calls.connect, fd, memory.address, writeSocketAddress(memory, to));
    }
    if (result === 0) return fd;
    closeSync(fd);
    return result;
  }
}

/** Writes a sockaddr_in or sockaddr_in6 with port 0. @returns its length in bytes */
function writeSocketAddress({ bytes, view }: Arena, address: Address): number {
  bytes.fill(0, 0, SOCKADDR_IN6_BYTES);
  view.setUint16(0, address.family, true);
  const isV4 = address.family === AF_INET;
  bytes.set(addressBytes(address), isV4 ? 4 : 8);
  return isV4 ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES;
}
