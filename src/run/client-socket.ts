import { writeSync } from 'node:fs';
import type { Arena, Native } from '../net/ffi/native.ts';
import { u16At, u32At } from '../netlink/wire.ts';
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
const NAME = 0;
const LENGTH = 64;
/** A struct msghdr with one iovec, by which is looked at what comes first. */
const HEADER = 128;
const VECTOR = 192;
const SEEN = 1024;
const SEEN_LEN = 32768;
const COPY = SEEN + SEEN_LEN;
const SCRATCH_LEN = 65536;
const MAX_COPIED = SCRATCH_LEN - COPY;
const SOCKADDR_NL_LEN = 12;

/** What stands first in a socket's receive queue: nothing, a ticket, or a datagram of the kernel's; or an -errno. */
export type Head = 'empty' | 'ticket' | 'kernel' | number;

interface Reply {
  readonly bytes: Uint8Array;
  /** Whether answers of the kernel come before it and after the one before. */
  readonly isAfterKernel: boolean;
  /** Whether it came from the kernel. */
  readonly isKernels: boolean;
}

/** System calls that the sockets of all programs share, with their memory. Of one thread. */
export class SocketCalls {
  readonly native: Native;
  readonly arch: Architecture;
  readonly scratch: Arena;
  readonly ticket = Buffer.alloc(NOOP_LEN);

  constructor(native: Native, arch: Architecture) {
    this.native = native;
    this.arch = arch;
    this.scratch = native.arena(SCRATCH_LEN);
    this.ticket.writeUInt32LE(NOOP_LEN, 0);
    this.ticket.writeUInt16LE(NLMSG_NOOP, 4);
    this.ticket.writeUInt16LE(REQUEST_ACK, 6);
    this.ticket.writeUInt32LE(TICKET_MARK, 12);
    const { bytes } = this.scratch;
    bytes.writeBigUInt64LE(BigInt(this.scratch.address + VECTOR), HEADER + 16);
    bytes.writeBigUInt64LE(1n, HEADER + 24);
    bytes.writeBigUInt64LE(BigInt(this.scratch.address + SEEN), VECTOR);
    bytes.writeBigUInt64LE(BigInt(SEEN_LEN), VECTOR + 8);
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
  private readonly replies: Reply[] = [];
  private port = 0;
  /** Nobody else takes a ticket: where it is known, or nothing else can be, it is the first. */
  private isTicketFirst = false;
  /** Whether the kernel may have sent something of its own. */
  private hasKernelData = false;
  private isKernelAsked = false;

  constructor(calls: SocketCalls, fd: number) {
    this.calls = calls;
    this.fd = fd;
  }

  get hasReplies(): boolean {
    return this.replies.length > 0;
  }

  /** Has the program receive these datagrams after those that wait already. */
  push(replies: readonly Uint8Array[]): void {
    const isIdle = this.replies.length === 0;
    for (const bytes of replies) {
      const isAfterKernel = this.isKernelAsked && this.replies.length > 0;
      this.replies.push({ bytes, isAfterKernel, isKernels: false });
      this.isKernelAsked = false;
    }
    if (isIdle && replies.length > 0) this.placeTicket();
    if (this.port === 0) this.port = this.boundPort();
  }

  /** @returns the reply that is to be received next, as it is to be received. */
  first(): Uint8Array {
    const { bytes, isKernels } = this.replies[0]!;
    if (isKernels) return bytes;
    setPort(bytes, this.port);
    return this.isCapping(bytes) ? capped(bytes) : bytes;
  }

  /**
   * Takes the first reply out. Its ticket stays for the next one, so that the socket stays readable, unless the kernel's
   * own answers come before that.
   * @param hasTicket whether it has one
   */
  shift(hasTicket: boolean): void {
    this.replies.shift();
    const next = this.replies[0];
    const isKept = hasTicket && next !== undefined && !next.isAfterKernel;
    if (hasTicket && !isKept) this.dropTicket();
    if (next && !isKept) this.placeTicket();
  }

  /** Notes that the kernel is asked something: its answers come after the replies that wait now. */
  noteKernelAsked(): void {
    this.isKernelAsked = true;
    this.hasKernelData = true;
  }

  /** Looks at the head of the receive queue. */
  head(): Head {
    if (this.isTicketFirst) return 'ticket';
    const count = this.look(MSG_DONTWAIT | MSG_PEEK);
    if (count === -E.EAGAIN) return 'empty';
    if (count < 0) return count;
    this.isTicketFirst = this.isTicket(count);
    return this.isTicketFirst ? 'ticket' : 'kernel';
  }

  /** Takes the ticket away. What stands there instead, by a group that the program has joined, is its next reply. */
  dropTicket(): void {
    this.isTicketFirst = false;
    const count = this.look(MSG_DONTWAIT);
    if (count < 0 || this.isTicket(count)) return;
    this.hasKernelData = true;
    const bytes = Uint8Array.from(this.calls.scratch.bytes.subarray(SEEN, SEEN + count));
    this.replies.unshift({ bytes, isAfterKernel: false, isKernels: true });
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
    this.noteKernelAsked();
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

  /** Whether a refusal is to be delivered without the request's payload. */
  private isCapping(reply: Uint8Array): boolean {
    const isRefusal = u16At(reply, 4) === NLMSG_ERROR && u32At(reply, 16) !== 0;
    return isRefusal && this.option(SOL_NETLINK, NETLINK_CAP_ACK) === 1;
  }

  private placeTicket(): void {
    // A queue that is full takes none: the reply is received all the same, but the program is not told of it.
    writeSync(this.fd, this.calls.ticket);
    this.isTicketFirst = !this.hasKernelData;
  }

  /** Whether what was looked at is a ticket. @param length bytes */
  private isTicket(length: number): boolean {
    const { bytes } = this.calls.scratch;
    return (
      length === TICKET_LEN &&
      bytes.readUInt16LE(SEEN + 4) === NLMSG_ERROR &&
      bytes.readUInt32LE(SEEN + ECHO + 12) === TICKET_MARK
    );
  }

  /** Receives a datagram. @returns bytes, or -errno */
  private look(flags: number): number {
    const { native, arch, scratch } = this.calls;
    if (this.replies.length > 0 || (flags & MSG_PEEK) === 0) {
      // Whether it fails, and why, matters only where a reply is not what is expected.
      const count = native.quick(arch.syscalls.recvmsg, this.fd, scratch.address + HEADER, flags, 0);
      if (count >= 0) return count;
    }
    return native.syscall(arch.syscalls.recvmsg, this.fd, scratch.address + HEADER, flags);
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
      if (bytes.readUInt32LE(NAME + 8) !== 0) this.hasKernelData = true;
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
