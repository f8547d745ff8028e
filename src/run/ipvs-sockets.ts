import { readFileSync, statSync } from 'node:fs';
import { AF_NETLINK, E, F_DUPFD_CLOEXEC, NETLINK_GENERIC, SOCK_CLOEXEC } from './abi.ts';
import type { ClientMemory, MemoryAccess } from './client-memory.ts';
import { ClientSocket, type SocketCalls } from './client-socket.ts';
import { clientIdOf, type Part, refusal, splitRequest, toClient, toDirector } from './datagrams.ts';
import { type DirectorLink, Lost } from './director-link.ts';
import { FamilyAnswers } from './family-answers.ts';
import { KernelFamily } from './kernel-family.ts';
import type { Call, Listener } from './listener.ts';
import {
  deliver,
  isImmediate,
  isPeek,
  type ReceiveName,
  readOutgoing,
  receiveFlags,
  type SendName,
  sent,
} from './message-calls.ts';
import { gather, totalLength } from './message-header.ts';
import { NetworkNamespaces } from './network-namespaces.ts';
import type { SocketTable } from './socket-table.ts';

/** Up to this length a datagram fits any send buffer. */
const SMALL_DATAGRAM = 2048;

export interface IpvsSocketsParts {
  readonly listener: Listener;
  readonly calls: SocketCalls;
  readonly table: SocketTable;
  readonly link: DirectorLink;
  readonly memories: MemoryAccess;
}

/** The generic-netlink sockets of wrapped programs: what goes to IPVS goes to the director, all else to the kernel. */
export class IpvsSockets {
  private readonly listener: Listener;
  private readonly calls: SocketCalls;
  private readonly table: SocketTable;
  private readonly link: DirectorLink;
  private readonly memories: MemoryAccess;
  private readonly kernelFamily: KernelFamily;
  private readonly namespaces: NetworkNamespaces;
  private readonly answers = new FamilyAnswers();
  /** Calls that receive, on sockets on which nothing has come yet. */
  private waiting: Waiting[] = [];

  constructor({ listener, calls, table, link, memories }: IpvsSocketsParts) {
    this.listener = listener;
    this.calls = calls;
    this.table = table;
    this.link = link;
    this.memories = memories;
    this.kernelFamily = new KernelFamily(calls);
    this.namespaces = new NetworkNamespaces(calls.native, calls.arch);
  }

  /** socket(AF_NETLINK, type, NETLINK_GENERIC): a real one, of which we keep a descriptor. @returns false if there is none */
  create(call: Call): boolean {
    const type = call.args[1]!;
    const { native, arch } = this.calls;
    const number = this.table.freeNumber(call.tid);
    const make = (): number =>
      native.syscall(arch.syscalls.socket, AF_NETLINK, type | SOCK_CLOEXEC, NETLINK_GENERIC);
    const fd = number < 0 ? -E.EMFILE : this.namespaces.within(call.tid, make);
    if (fd < 0) return false;
    const socket = new ClientSocket(this.calls, fd);
    const closeOnExec = (type & SOCK_CLOEXEC) !== 0;
    if (this.listener.inject(call, { source: fd, number, closeOnExec }) < 0) {
      // The number is above the process's own limit, or the process is gone.
      socket.close();
      return false;
    }
    this.table.add(socket);
    return true;
  }

  /** dup() and fcntl(F_DUPFD): the copy stays where it is seen. @returns false if it is no socket of ours */
  duplicate(call: Call, isFcntl: boolean): boolean {
    const socket = this.table.find(call.tid, call.args[0]!);
    const number = socket ? this.table.freeNumber(call.tid) : -1;
    if (!socket || number < 0 || (isFcntl && call.args[2]! > number)) return false;
    const closeOnExec = isFcntl && call.args[1] === F_DUPFD_CLOEXEC;
    return this.listener.inject(call, { source: socket.fd, number, closeOnExec }) >= 0;
  }

  /** @returns false if it is no socket of ours */
  send(call: Call, name: SendName): boolean {
    return this.withSocket(call, (socket, memory) => {
      const datagram = this.readDatagram(memory, call, name, socket);
      const parts = datagram ? splitRequest(datagram, this.kernelFamily.numbers) : [];
      if (!datagram || !parts.some(({ isOurs }) => isOurs)) {
        if (parts.length > 0) this.kernelFamily.learn(parts);
        socket.noteKernelAsked();
        return false;
      }
      for (const part of parts) this.perform(socket, part);
      // The director's answer took its time.
      if (name === 'sendmmsg' && !this.listener.isWaiting(call)) return true;
      this.listener.answer(call, sent(memory, name, call, datagram.length));
      return true;
    });
  }

  /** @returns false if it is no socket of ours, or the kernel's turn */
  receive(call: Call, name: ReceiveName): boolean {
    return this.withSocket(call, (socket, memory) =>
      this.tryReceive({ call, name, socket }, memory, () => this.wait(call, name, socket)),
    );
  }

  /** Whether calls wait that `retry` has to look after. */
  get isWaited(): boolean {
    return this.waiting.length > 0;
  }

  /** Looks again at the calls that wait for something to receive. */
  retry(): void {
    const calls = this.waiting;
    this.waiting = [];
    for (const waiting of calls) {
      const { call } = waiting;
      if (!this.listener.isWaiting(call)) continue;
      const again = (): boolean => {
        if (hasSignal(call.tid)) this.listener.answer(call, -ERESTARTSYS);
        else this.waiting.push(waiting);
        return true;
      };
      const isAnswered = this.withSocket(call, (_, memory) => this.tryReceive(waiting, memory, again));
      if (!isAnswered) this.listener.pass(call);
    }
  }

  /**
   * Finds the socket that a call is for. A thread whose number had gone to another process meanwhile would not have the
   * same socket, so that no other memory is read or written.
   */
  private withSocket(call: Call, use: (socket: ClientSocket, memory: ClientMemory) => boolean): boolean {
    const memory = this.memories.of(call.tid);
    try {
      const socket = this.table.find(call.tid, call.args[0]!);
      return socket !== undefined && use(socket, memory);
    } finally {
      memory.close();
    }
  }

  private tryReceive(
    { call, name, socket }: Waiting,
    memory: ClientMemory,
    otherwise: () => boolean,
  ): boolean {
    let head = socket.head();
    if (head === 'ticket' && !socket.hasReplies) {
      socket.dropTicket();
      head = socket.head();
    }
    if (head === 'kernel') return false;
    if (typeof head === 'number') {
      this.listener.answer(call, head);
      return true;
    }
    if (!socket.hasReplies) return otherwise();
    const result = deliver(memory, name, call, socket.first());
    if (!isPeek(receiveFlags(name, call))) socket.shift(head === 'ticket');
    this.listener.answer(call, result);
    return true;
  }

  /**
   * Nothing has come. A program of one thread may wait in the kernel: nothing can come before it has returned from there.
   * Among several threads another one may send meanwhile, and the kernel would deliver a ticket.
   */
  private wait(call: Call, name: ReceiveName, socket: ClientSocket): boolean {
    if (threadCount(call.tid) <= 1) return false;
    if (isImmediate(receiveFlags(name, call)) || socket.isNonBlocking())
      this.listener.answer(call, -E.EAGAIN);
    else this.waiting.push({ call, name, socket });
    return true;
  }

  private readDatagram(
    memory: ClientMemory,
    call: Call,
    name: SendName,
    socket: ClientSocket,
  ): Uint8Array | undefined {
    const outgoing = readOutgoing(memory, name, call);
    if (outgoing?.port !== 0) return undefined;
    const length = totalLength(outgoing.pieces);
    if (length > SMALL_DATAGRAM && length > socket.maxDatagram()) return undefined;
    return gather(memory, outgoing.pieces);
  }

  private perform(socket: ClientSocket, { isOurs, bytes }: Part): void {
    if (isOurs) socket.push(this.ask(bytes));
    else socket.sendToKernel(bytes);
  }

  /** @returns the reply datagrams; without a director the refusal of a kernel that has no IPVS */
  private ask(message: Uint8Array): Uint8Array[] {
    try {
      const directorId = this.link.ipvsId();
      const clientId = clientIdOf(message);
      const known = this.link.isAlive() ? this.answers.find(message, this.link.generation()) : undefined;
      if (known) return known;
      const sent = toDirector(message, directorId);
      const answer = this.link.exchange(sent).map((reply) => toClient(reply, { directorId, clientId }));
      this.answers.add(message, this.link.generation(), answer);
      return answer;
    } catch (error) {
      if (!(error instanceof Lost)) throw error;
      return [refusal(message, error.isUncertain ? E.EIO : E.ENOENT)];
    }
  }
}

interface Waiting {
  readonly call: Call;
  readonly name: ReceiveName;
  readonly socket: ClientSocket;
}

/** What a call returns within the kernel that a signal interrupts: it fails with EINTR or starts again. */
const ERESTARTSYS = 512;

/** Number of threads in a thread's process. */
function threadCount(tid: number): number {
  return (statSync(`/proc/${tid}/task`, { throwIfNoEntry: false })?.nlink ?? 3) - 2;
}

/** Whether a signal that a thread does not block waits for it. */
function hasSignal(tid: number): boolean {
  let status: string;
  try {
    status = readFileSync(`/proc/${tid}/status`, 'latin1');
  } catch {
    return false;
  }
  const mask = (name: string): bigint =>
    BigInt(`0x${new RegExp(`^${name}:\\s*(\\w+)$`, 'm').exec(status)?.[1] ?? '0'}`);
  return ((mask('SigPnd') | mask('ShdPnd')) & ~mask('SigBlk')) !== 0n;
}
