import type { Arena, Native } from '../net/packet/ffi.ts';
import { AF_NETLINK, type Architecture, E, F_GETFL, MSG_DONTWAIT, MSG_PEEK, O_NONBLOCK } from './abi.ts';
import { capped, setPort } from './datagrams.ts';

/**
 * A ticket: the kernel's own acknowledgement of an empty message, in the receive queue in place of a reply of ours. The
 * kernel repeats the message's header at ECHO, with this mark as its port.
 */
const TICKET_MARK = 0x49505653;
const TICKET_LEN = 36;
const ECHO = 20;
const NOOP_LEN = 16;
const NLMSG_NOOP = 1;
const NLMSG_ERROR = 2;
const REQUEST_ACK = 5;

const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
/** Where the parts of the scratch memory are. */
const SENT = 0;
const SEEN = 64;
const NAME = 128;
const LENGTH = 192;
const COPY = 256;
const SCRATCH_LEN = 65536;
const MAX_COPIED = SCRATCH_LEN - COPY;
const SOCKADDR_NL_LEN = 12;

/** What stands first in a socket's receive queue: nothing, a ticket, or a datagram of the kernel's; or an -errno. */
export type Head = 'empty' | 'ticket' | 'kernel' | number;

/** System calls that the sockets of all programs share, with their memory. Of one thread. */
export class SocketCalls {
  readonly native: Native;
  readonly arch: Architecture;
  readonly scratch: Arena;

  constructor(native: Native, arch: Architecture) {
    this.native = native;
    this.arch = arch;
    this.scratch = native.arena(SCRATCH_LEN);
    const { bytes } = this.scratch;
    bytes.writeUInt32LE(NOOP_LEN, SENT);
    bytes.writeUInt16LE(NLMSG_NOOP, SENT + 4);
    bytes.writeUInt16LE(REQUEST_ACK, SENT + 6);
    bytes.writeUInt32LE(TICKET_MARK, SENT + 12);
  }
}

/**
 * A generic-netlink socket of a wrapped program, of which this process has a descriptor too. Replies of ours wait here;
 * for the first of them a ticket stands in the kernel's queue, so that the socket is readable. Never more than one: the
 * program's receive buffer may be small.
 */
export class ClientSocket {
  readonly fd: number;
  private readonly calls: SocketCalls;
  private readonly replies: Uint8Array[] = [];
  private port = 0;
  /** Whether the program has spoken to IPVS over it. */
  isOurs = false;

  constructor(calls: SocketCalls, fd: number) {
    this.calls = calls;
    this.fd = fd;
  }

  get hasReplies(): boolean {
    return this.replies.length > 0;
  }

  /** Has the program receive these datagrams after those that wait already. */
  push(replies: readonly Uint8Array[]): void {
    this.isOurs = true;
    const isIdle = this.replies.length === 0;
    this.replies.push(...replies);
    if (isIdle && replies.length > 0) this.placeTicket();
    if (this.port === 0) this.port = this.boundPort();
  }

  /** @returns the reply that is to be received next, as it is to be received. */
  first(): Uint8Array {
    const reply = this.replies[0]!;
    setPort(reply, this.port);
    return this.isCapping() ? capped(reply) : reply;
  }

  /** Takes the first reply and its ticket out. @param hasTicket whether it has one */
  shift(hasTicket: boolean): void {
    if (hasTicket) this.look(MSG_DONTWAIT);
    this.replies.shift();
    if (this.replies.length > 0) this.placeTicket();
  }

  /** Looks at the head of the receive queue. */
  head(): Head {
    const count = this.look(MSG_DONTWAIT | MSG_PEEK);
    if (count === -E.EAGAIN) return 'empty';
    if (count < 0) return count;
    const { bytes } = this.calls.scratch;
    const isTicket =
      count === TICKET_LEN &&
      bytes.readUInt16LE(SEEN + 4) === NLMSG_ERROR &&
      bytes.readUInt32LE(SEEN + ECHO + 12) === TICKET_MARK;
    return isTicket ? 'ticket' : 'kernel';
  }

  /** Takes a ticket away that no reply belongs to. */
  dropTicket(): void {
    this.look(MSG_DONTWAIT);
  }

  /** Whether receiving from an empty queue fails instead of waiting. */
  isNonBlocking(): boolean {
    const { native, arch } = this.calls;
    return (native.syscall(arch.syscalls.fcntl, this.fd, F_GETFL, 0) & O_NONBLOCK) !== 0;
  }

  /** Sends a message to the kernel as the program would. @returns bytes, or -errno */
  sendToKernel(message: Uint8Array): number {
    const { native, arch, scratch } = this.calls;
    if (message.length > MAX_COPIED) return -E.EMSGSIZE;
    const { address, bytes } = scratch;
    bytes.set(message, COPY);
    return native.syscall(arch.syscalls.sendto, this.fd, address + COPY, message.length, MSG_DONTWAIT, 0, 0);
  }

  /** The longest datagram that the kernel would take, in bytes. */
  maxDatagram(): number {
    return this.option(SOL_SOCKET, SO_SNDBUF) - 32;
  }

  /** Gives the descriptor back. */
  close(): void {
    const { native, arch } = this.calls;
    native.syscall(arch.syscalls.close, this.fd);
  }

  private isCapping(): boolean {
    const type = this.replies[0]![4]! | (this.replies[0]![5]! << 8);
    return type === NLMSG_ERROR && this.option(SOL_NETLINK, NETLINK_CAP_ACK) === 1;
  }

  private placeTicket(): void {
    const { native, arch, scratch } = this.calls;
    native.syscall(arch.syscalls.sendto, this.fd, scratch.address + SENT, NOOP_LEN, MSG_DONTWAIT, 0, 0);
  }

  private look(flags: number): number {
    const { native, arch, scratch } = this.calls;
    return native.syscall(arch.syscalls.recvfrom, this.fd, scratch.address + SEEN, 64, flags, 0, 0);
  }

  /** The port id; the kernel gives one to a socket that sends without. */
  private boundPort(): number {
    const { native, arch, scratch } = this.calls;
    const { syscalls } = arch;
    const { address, bytes } = scratch;
    for (let attempt = 0; ; attempt++) {
      bytes.writeUInt32LE(SOCKADDR_NL_LEN, LENGTH);
      native.syscall(syscalls.getsockname, this.fd, address + NAME, address + LENGTH);
      const port = bytes.readUInt32LE(NAME + 4);
      if (port !== 0 || attempt > 0) return port;
      bytes.fill(0, NAME, NAME + SOCKADDR_NL_LEN);
      bytes.writeUInt16LE(AF_NETLINK, NAME);
      native.syscall(syscalls.bind, this.fd, address + NAME, SOCKADDR_NL_LEN);
    }
  }

  private option(level: number, name: number): number {
    const { native, arch, scratch } = this.calls;
    const { address, bytes } = scratch;
    bytes.writeUInt32LE(4, LENGTH);
    bytes.writeInt32LE(0, NAME);
    native.syscall(arch.syscalls.getsockopt, this.fd, level, name, address + NAME, address + LENGTH);
    return bytes.readInt32LE(NAME);
  }
}
