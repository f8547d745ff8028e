import { closeSync } from 'node:fs';
import { type Address, AF_INET, AF_INET6, type Family, ipv4 } from '../core/address.ts';
import type { DaemonConfig } from '../core/config.ts';
import { DeviceError } from '../net/device-error.ts';
import { type Arena, type Native, native } from '../net/ffi/native.ts';
import {
  emitInterfaceRequest,
  emitMembership,
  emitSocketAddress,
  interfaceAddress,
  interfaceNumber,
} from './socket-addresses.ts';

// uapi asm/socket.h, linux/in.h, linux/in6.h, linux/sockios.h
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_BINDTODEVICE = 25;
const IPPROTO_IP = 0;
const IP_MTU_DISCOVER = 10;
const IP_MULTICAST_IF = 32;
const IP_MULTICAST_TTL = 33;
const IP_MULTICAST_LOOP = 34;
const IP_ADD_MEMBERSHIP = 35;
const IPPROTO_IPV6 = 41;
const IPV6_MULTICAST_IF = 17;
const IPV6_MULTICAST_HOPS = 18;
const IPV6_MULTICAST_LOOP = 19;
const IPV6_ADD_MEMBERSHIP = 20;
const IPV6_MTU_DISCOVER = 23;
const IPV6_V6ONLY = 26;
const PMTUDISC_DONT = 0;
const SIOCGIFADDR = 0x8915;
const SIOCGIFINDEX = 0x8933;

const AF_UNSPEC = 0;
const MEMORY_BYTES = 4096;

/** A daemon's configuration as it runs: nothing is left out. */
export interface GroupConfig extends DaemonConfig {
  readonly group: Address;
}

/** Options of both families by what they are for. */
const OPTIONS = {
  [AF_INET]: {
    level: IPPROTO_IP,
    interface: IP_MULTICAST_IF,
    hops: IP_MULTICAST_TTL,
    loop: IP_MULTICAST_LOOP,
    join: IP_ADD_MEMBERSHIP,
    mtuDiscover: IP_MTU_DISCOVER,
  },
  [AF_INET6]: {
    level: IPPROTO_IPV6,
    interface: IPV6_MULTICAST_IF,
    hops: IPV6_MULTICAST_HOPS,
    loop: IPV6_MULTICAST_LOOP,
    join: IPV6_ADD_MEMBERSHIP,
    mtuDiscover: IPV6_MTU_DISCOVER,
  },
} as const;

/**
 * Opens a datagram socket that sends to the daemon's group: on its interface, with its hop limit, not heard by this
 * host, and without path-MTU discovery.
 *
 * @param bufferBytes of the socket, 0 for the system's choice
 * @returns the descriptor, which the caller owns
 * @throws DeviceError
 */
export const openSender = (config: GroupConfig, port: number, bufferBytes: number): number =>
  withSocket(config.group.family, (socket) => {
    const { group, ttl } = config;
    const options = OPTIONS[group.family];
    const index = socket.attach(config.interface);
    socket.setMembership(options.level, options.interface, config, index);
    socket.setNumber(options.level, options.loop, 0);
    socket.setNumber(options.level, options.hops, ttl);
    socket.setNumber(options.level, options.mtuDiscover, PMTUDISC_DONT);
    if (bufferBytes > 0) socket.setNumber(SOL_SOCKET, SO_SNDBUF, bufferBytes);
    if (group.family === AF_INET) socket.bindToPrimaryAddress(config.interface);
    socket.tryRoute(group, port, index);
  });

/**
 * Opens a datagram socket that hears the daemon's group on its interface.
 *
 * @param bufferBytes of the socket, 0 for the system's choice
 * @returns the descriptor, which the caller owns
 * @throws DeviceError
 */
export const openListener = (config: GroupConfig, port: number, bufferBytes: number): number =>
  withSocket(config.group.family, (socket) => {
    const { group } = config;
    const options = OPTIONS[group.family];
    socket.setNumber(SOL_SOCKET, SO_REUSEADDR, 1);
    if (group.family === AF_INET6) socket.setNumber(IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (bufferBytes > 0) socket.setNumber(SOL_SOCKET, SO_RCVBUF, bufferBytes);
    const index = socket.attach(config.interface);
    socket.bind(group, port, index);
    socket.setMembership(options.level, options.join, config, index);
  });

/** @returns the index of an interface, or 0 if there is none of this name */
export function interfaceIndex(name: string): number {
  let index = 0;
  try {
    closeSync(
      withSocket(AF_INET, (socket) => {
        index = socket.indexOf(name);
      }),
    );
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
  }
  return index;
}

let memory: Arena | undefined;

function withSocket(family: Family, prepare: (socket: RawSocket) => void): number {
  const calls = native();
  memory ??= calls.arena(MEMORY_BYTES);
  const fd = calls.syscall(calls.calls.socket, family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new DeviceError('open a sync socket', fd);
  try {
    prepare(new RawSocket(calls, memory, fd));
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** The calls that a sync socket needs before Node's loop takes it over. */
class RawSocket {
  private readonly native: Native;
  private readonly memory: Arena;
  private readonly fd: number;

  constructor(calls: Native, memory: Arena, fd: number) {
    this.native = calls;
    this.memory = memory;
    this.fd = fd;
  }

  /** Ties the socket to an interface. @returns its index */
  attach(name: string): number {
    const index = this.indexOf(name);
    const length = this.memory.bytes.write(`${name}\0`, 0, 'latin1');
    this.set(SOL_SOCKET, SO_BINDTODEVICE, length, `use the interface ${name}`);
    return index;
  }

  indexOf(name: string): number {
    emitInterfaceRequest(this.memory.bytes, name);
    const found = this.native.syscall(this.native.calls.ioctl, this.fd, SIOCGIFINDEX, this.memory.address);
    this.check(found, `find the interface ${name}`);
    return interfaceNumber(this.memory.bytes);
  }

  /** An interface without IPv4 address sends from none, as with a kernel. */
  bindToPrimaryAddress(name: string): void {
    emitInterfaceRequest(this.memory.bytes, name);
    const found = this.native.syscall(this.native.calls.ioctl, this.fd, SIOCGIFADDR, this.memory.address);
    this.bind(ipv4(found < 0 ? 0 : interfaceAddress(this.memory.bytes)), 0, 0);
  }

  bind(address: Address, port: number, scope: number): void {
    const length = emitSocketAddress(this.memory.bytes, address, port, scope);
    this.check(this.call('bind', this.memory.address, length), 'take the sync port');
  }

  /** Connects to hear that there is no way to the group, and disconnects: Node's loop sends from unconnected sockets. */
  tryRoute(address: Address, port: number, scope: number): void {
    const { bytes } = this.memory;
    const length = emitSocketAddress(bytes, address, port, scope);
    this.check(this.call('connect', this.memory.address, length), 'reach the sync group');
    bytes.writeUInt16LE(AF_UNSPEC, 0);
    this.check(this.call('connect', this.memory.address, length), 'prepare a sync socket');
  }

  setMembership(level: number, option: number, config: GroupConfig, index: number): void {
    const { bytes } = this.memory;
    if (option === IPV6_MULTICAST_IF && level === IPPROTO_IPV6) {
      this.setNumber(level, option, index);
      return;
    }
    this.set(
      level,
      option,
      emitMembership(bytes, config.group, index),
      `join the group on ${config.interface}`,
    );
  }

  setNumber(level: number, option: number, value: number): void {
    this.memory.bytes.writeInt32LE(value, 0);
    this.set(level, option, 4, 'prepare a sync socket');
  }

  private set(level: number, option: number, length: number, operation: string): void {
    const { calls } = this.native;
    const { address } = this.memory;
    this.check(this.native.syscall(calls.setsockopt, this.fd, level, option, address, length), operation);
  }

  private call(name: 'bind' | 'connect', address: number, length: number): number {
    return this.native.syscall(this.native.calls[name], this.fd, address, length);
  }

  private check(result: number, operation: string): void {
    if (result < 0) throw new DeviceError(operation, result);
  }
}
