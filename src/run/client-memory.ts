import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import type { Arena, Native } from '../net/ffi/native.ts';
import { type Architecture, E } from './abi.ts';
import type { OwnerAccess } from './owner-access.ts';

/** Bytes of our memory through which a client's is read and written, and of them those for vectors. */
const SCRATCH_LEN = 65536;
const LOCAL = 0;
const REMOTE = 16;
const DATA = 4096;
const IOVEC_LEN = 16;
const MAX_DATA = SCRATCH_LEN - DATA;
const MAX_PARTS = (DATA - REMOTE) / IOVEC_LEN;

/** Memory that cannot be reached: the process forbids it, or there is nothing at the address. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

/** Bytes for an address of a client. */
export interface Part {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** The way into the memory of wrapped programs. Of one thread. */
export class MemoryAccess {
  private readonly native: Native;
  private readonly arch: Architecture;
  private readonly owners: OwnerAccess;
  private readonly scratch: Arena;
  /** By process_vm_readv() and process_vm_writev(), where calling them costs less than files do; a container may refuse them. */
  private isDirect: boolean;

  constructor(native: Native, arch: Architecture, owners: OwnerAccess) {
    this.native = native;
    this.arch = arch;
    this.owners = owners;
    this.isDirect = native.name === 'koffi';
    this.scratch = native.arena(SCRATCH_LEN);
    setWord(this.scratch.view, LOCAL, this.scratch.address + DATA);
  }

  /** The memory of a thread's process. */
  of(tid: number): ClientMemory {
    return new ClientMemory(tid, this);
  }

  /** @returns how many bytes there are up to `length`, at most MAX_DATA, in `seen`; -errno if this way is closed */
  read(tid: number, address: number, length: number): number {
    this.setRemote(0, address, length);
    return this.transfer(this.arch.syscalls.process_vm_readv, tid, length, 1);
  }

  /** What `read` has read. */
  seen(length: number): Uint8Array {
    return this.scratch.bytes.subarray(DATA, DATA + length);
  }

  /** Writes parts, MAX_PARTS of at most MAX_DATA bytes together. @returns bytes, or -errno if this way is closed */
  write(tid: number, parts: readonly Part[]): number {
    let length = 0;
    let count = 0;
    for (const { address, bytes } of parts) {
      this.scratch.bytes.set(bytes, DATA + length);
      this.setRemote(count++, address, bytes.length);
      length += bytes.length;
    }
    return this.transfer(this.arch.syscalls.process_vm_writev, tid, length, count);
  }

  /** The other way, which can be taken as a process's user. @returns a descriptor. @throws Unreachable */
  open(tid: number): number {
    try {
      return this.owners.look(tid, () => openSync(`/proc/${tid}/mem`, 'r+'));
    } catch (error) {
      throw new Unreachable(`memory of ${tid}`, { cause: error });
    }
  }

  private setRemote(index: number, address: number, length: number): void {
    const at = REMOTE + IOVEC_LEN * index;
    setWord(this.scratch.view, at, address);
    setWord(this.scratch.view, at + 8, length);
  }

  private transfer(call: number, tid: number, length: number, count: number): number {
    if (!this.isDirect) return -E.ENOSYS;
    const { native, scratch } = this;
    setWord(scratch.view, LOCAL + 8, length);
    const done = native.syscall(call, tid, scratch.address + LOCAL, 1, scratch.address + REMOTE, count, 0);
    if (done === -E.ENOSYS) this.isDirect = false;
    return done === -E.EFAULT ? 0 : done;
  }
}

/** The memory of a process that waits for an answer; to be closed before it gets one. */
export class ClientMemory {
  private readonly tid: number;
  private readonly access: MemoryAccess;
  /** Of the process's memory as a file; -1 as long as it is not needed. */
  private fd = -1;

  constructor(tid: number, access: MemoryAccess) {
    this.tid = tid;
    this.access = access;
  }

  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
  }

  /** @throws Unreachable unless all `length` bytes are there */
  read(address: number, length: number): Buffer {
    const bytes = this.readSome(address, length);
    if (bytes.length < length) throw new Unreachable(`${length} bytes at ${address}`);
    return bytes;
  }

  /** Reads up to where the memory ends. @throws Unreachable */
  readSome(address: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    let done = 0;
    while (done < length) {
      const count = this.readInto(bytes.subarray(done), address + done);
      if (count === 0) break;
      done += count;
    }
    return bytes.subarray(0, done);
  }

  /** A text that ends with a zero byte. @returns `undefined` if it is longer. @throws Unreachable */
  readText(address: number, maxLength: number): string | undefined {
    const bytes = this.readSome(address, maxLength);
    const end = bytes.indexOf(0);
    return end < 0 ? undefined : bytes.toString('utf8', 0, end);
  }

  /** @throws Unreachable unless all of it could be written */
  write(address: number, bytes: Uint8Array): void {
    this.writeAll([{ address, bytes }]);
  }

  /** Writes parts in their order. @throws Unreachable unless all could be written */
  writeAll(parts: readonly Part[]): void {
    const length = parts.reduce((sum, { bytes }) => sum + bytes.length, 0);
    if (this.fd < 0 && length <= MAX_DATA && parts.length <= MAX_PARTS) {
      const done = this.access.write(this.tid, parts);
      if (done === length) return;
      if (done >= 0) throw new Unreachable(`${length} bytes at ${parts[0]!.address}`);
    }
    for (const { address, bytes } of parts) this.writeToFile(address, bytes);
  }

  private readInto(bytes: Buffer, address: number): number {
    if (this.fd < 0) {
      const count = this.access.read(this.tid, address, Math.min(bytes.length, MAX_DATA));
      if (count >= 0) {
        bytes.set(this.access.seen(count));
        return count;
      }
      this.fd = this.access.open(this.tid);
    }
    return attempt(() => readSync(this.fd, bytes, 0, bytes.length, address));
  }

  private writeToFile(address: number, bytes: Uint8Array): void {
    if (this.fd < 0) this.fd = this.access.open(this.tid);
    let done = 0;
    while (done < bytes.length) {
      const count = attempt(() => writeSync(this.fd, bytes, done, bytes.length - done, address + done));
      if (count === 0) throw new Unreachable(`${bytes.length} bytes at ${address}`);
      done += count;
    }
  }
}

/** Writes a u64 below 2^53. */
function setWord(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}

function attempt(access: () => number): number {
  try {
    return access();
  } catch {
    return 0;
  }
}
