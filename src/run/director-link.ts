import { Deframer, frame } from '../control/framing.ts';
import { clientDirs, type PathContext, socketPath, trusted } from '../control/paths.ts';
import type { Arena, Native } from '../net/ffi/native.ts';
import {
  AF_UNIX,
  type Architecture,
  E,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  MSG_PEEK,
  SOCK_CLOEXEC,
  SOCK_STREAM,
} from './abi.ts';
import { endsAnswer, familyIdIn, familyRequest, hasEnd, isMarked, isQuestion, marker } from './datagrams.ts';

const MAX_REPLY_BYTES = 64 << 20;
const CHUNK_BYTES = 256 << 10;
/** A director that says nothing for this long is given up. */
const SILENCE_SEC = 10;
/** For how long after a loss a director is waited for: one that starts again takes less. */
const PATIENCE_MS = 3000;
const RETRY_MS = 25;

const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;
const SUN_PATH_MAX = 107;
/** In the memory: a struct msghdr for one byte, behind what connecting needs. */
const PEEK = 1024;
const PEEK_VECTOR = 1088;
const PEEK_BYTE = 1104;

/** The director cannot be reached, or was lost within an exchange. */
export class Lost extends Error {
  override readonly name: string = 'Lost';
  /** Whether the request may have reached it. */
  readonly isUncertain: boolean;
  constructor(reason: string, isUncertain: boolean) {
    super(reason);
    this.isUncertain = isUncertain;
  }
}

/** The director has the request, but no answer came. */
class Silent extends Lost {
  override readonly name: string = 'Silent';
}

/** @returns where a director's socket may be, in the order to try. @param given a runtime directory or a socket */
export function candidateSockets(given: string | undefined, paths: PathContext): string[] {
  if (given !== undefined) return [given.endsWith('.sock') ? given : socketPath(given)];
  return clientDirs(paths)
    .filter((dir) => trusted(dir, paths.uid))
    .map((dir) => socketPath(dir.path));
}

/** A connection to the director over which one exchange follows the other, each in one synchronous call. */
export class DirectorLink {
  private readonly native: Native;
  private readonly arch: Architecture;
  private readonly sockets: () => readonly string[];
  private readonly memory: Arena;
  private readonly chunk: Arena;
  private deframer = new Deframer(MAX_REPLY_BYTES);
  private fd = -1;
  private familyId = -1;
  /** Counts connections: what was learned over an earlier one may be wrong. */
  private count = 0;
  private lostAt: number | undefined;

  /** @param sockets where the director may be, looked up at every attempt */
  constructor(native: Native, arch: Architecture, sockets: () => readonly string[]) {
    this.native = native;
    this.arch = arch;
    this.sockets = sockets;
    this.memory = native.arena(4096);
    this.chunk = native.arena(CHUNK_BYTES);
    const { address, bytes } = this.memory;
    bytes.writeBigUInt64LE(BigInt(address + PEEK_VECTOR), PEEK + 16);
    bytes.writeBigUInt64LE(1n, PEEK + 24);
    bytes.writeBigUInt64LE(BigInt(address + PEEK_BYTE), PEEK_VECTOR);
    bytes.writeBigUInt64LE(1n, PEEK_VECTOR + 8);
  }

  /** Which connection it is, from 1 on. @throws Lost */
  generation(): number {
    this.connect();
    return this.count;
  }

  /** The director's number of the family IPVS. @throws Lost */
  ipvsId(): number {
    this.connect();
    return this.familyId;
  }

  /** Whether the director has not closed the connection, as far as can be seen. */
  isAlive(): boolean {
    if (this.fd < 0) return false;
    const { native, arch, memory } = this;
    const count = native.quick(
      arch.syscalls.recvmsg,
      this.fd,
      memory.address + PEEK,
      MSG_PEEK | MSG_DONTWAIT,
      0,
    );
    if (count === 0) this.drop();
    return count !== 0;
  }

  /** @returns the answer to one message, datagram for datagram. @throws Lost */
  exchange(message: Uint8Array): Uint8Array[] {
    this.connect();
    try {
      return this.converse(message);
    } catch (error) {
      this.drop();
      if (!(error instanceof Lost) || (error.isUncertain && !isQuestion(message))) throw error;
      // One that is asked again would be as silent.
      if (error instanceof Silent) throw new Lost(error.message, false);
    }
    this.connect();
    try {
      return this.converse(message);
    } catch (error) {
      this.drop();
      throw error;
    }
  }

  close(): void {
    if (this.fd >= 0) this.drop();
  }

  private converse(message: Uint8Array): Uint8Array[] {
    const isMarkedEnd = !hasEnd(message);
    this.send(message);
    if (isMarkedEnd) this.send(marker());
    const answer: Uint8Array[] = [];
    for (;;) {
      for (const datagram of this.deframer.push(this.receive())) {
        if (isMarkedEnd ? isMarked(datagram) : endsAnswer(datagram)) {
          if (!isMarkedEnd) answer.push(datagram);
          return answer;
        }
        answer.push(datagram);
      }
    }
  }

  private send(message: Uint8Array): void {
    const { native, arch, chunk } = this;
    const { sendto } = arch.syscalls;
    const bytes = frame(message);
    for (let done = 0; done < bytes.length; ) {
      const next = bytes.subarray(done, done + CHUNK_BYTES);
      chunk.bytes.set(next);
      const count = restarted(() =>
        native.syscall(sendto, this.fd, chunk.address, next.length, MSG_NOSIGNAL, 0, 0),
      );
      if (count < 0) throw new Lost('the director closed the connection', false);
      done += count;
    }
  }

  private receive(): Uint8Array {
    const { native, arch, chunk } = this;
    const { read } = arch.syscalls;
    const count = restarted(() => native.syscall(read, this.fd, chunk.address, CHUNK_BYTES));
    if (count < 0) throw new Silent(`the director was silent for ${SILENCE_SEC} s`, true);
    if (count === 0) throw new Lost('the director closed the connection', true);
    return chunk.bytes.subarray(0, count);
  }

  /** @throws Lost */
  private connect(): void {
    if (this.fd >= 0) return;
    for (;;) {
      for (const path of this.sockets()) if (this.tryConnect(path)) return;
      if (this.lostAt === undefined || performance.now() - this.lostAt > PATIENCE_MS) {
        throw new Lost('there is no director', false);
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    }
  }

  private tryConnect(path: string): boolean {
    this.fd = connectUnix(this.native, this.arch, this.memory, path);
    if (this.fd < 0) return false;
    this.deframer = new Deframer(MAX_REPLY_BYTES);
    try {
      const id = this.converse(familyRequest())
        .map(familyIdIn)
        .find((found) => found >= 0);
      if (id === undefined) throw new Lost('no family IPVS', false);
      this.familyId = id;
    } catch {
      this.close();
      return false;
    }
    this.count++;
    this.lostAt = undefined;
    return true;
  }

  private drop(): void {
    this.native.syscall(this.arch.syscalls.close, this.fd);
    this.fd = -1;
    if (this.count > 0) this.lostAt ??= performance.now();
  }
}

/** Performs a call again that a signal interrupts: with a time limit on the socket the kernel does not. */
function restarted(call: () => number): number {
  for (;;) {
    const result = call();
    if (result !== -E.EINTR) return result;
  }
}

/** @returns a descriptor connected to a Unix socket, or -errno. @param scratch memory to use, 4096 bytes */
export function connectUnix(native: Native, arch: Architecture, scratch: Arena, path: string): number {
  const { syscalls } = arch;
  const name = Buffer.from(path);
  if (name.length > SUN_PATH_MAX) return -E.ENOENT;
  const fd = native.syscall(syscalls.socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fd;
  const { address, bytes } = scratch;
  bytes.fill(0, 0, 128);
  bytes.writeUInt16LE(AF_UNIX, 0);
  name.copy(bytes, 2);
  const error = native.syscall(syscalls.connect, fd, address, 2 + name.length + 1);
  if (error < 0) {
    native.syscall(syscalls.close, fd);
    return error;
  }
  bytes.fill(0, 0, 16);
  bytes.writeUInt32LE(SILENCE_SEC, 0);
  for (const option of [SO_RCVTIMEO, SO_SNDTIMEO]) {
    native.syscall(syscalls.setsockopt, fd, SOL_SOCKET, option, address, 16);
  }
  return fd;
}
