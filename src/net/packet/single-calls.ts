import { readSync, writeSync } from 'node:fs';
import { negativeErrno } from '../device-error.ts';
import type { Arena, Native } from '../ffi/native.ts';

/** System calls for one packet. Results are bytes, or -errno. */
export interface SingleCalls {
  /** Whether it costs little to find that nothing waits. */
  readonly isLookCheap: boolean;
  /** Reads into the slot's buffer. */
  read(fd: number): number;
  /** @param from where in `bytes` */
  write(fd: number, bytes: Uint8Array, from: number, length: number): number;
}

/** @param memory has the slot's buffer. @returns the cheapest calls */
export function singleCalls(native: Native, memory: Arena, buffer: Uint8Array): SingleCalls {
  return native.name === 'koffi' ? new NativeCalls(native, memory, buffer) : new NodeCalls(buffer);
}

/** A microsecond more than the call itself; ten where nothing waits, which is an exception. */
class NodeCalls implements SingleCalls {
  readonly isLookCheap = false;
  private readonly buffer: Uint8Array;

  constructor(buffer: Uint8Array) {
    this.buffer = buffer;
  }

  read(fd: number): number {
    try {
      return readSync(fd, this.buffer, 0, this.buffer.length, null);
    } catch (error) {
      return negativeErrno(error);
    }
  }

  write(fd: number, bytes: Uint8Array, from: number, length: number): number {
    return nodeWrite(fd, bytes, from, length);
  }
}

/** Half a microsecond more than the call itself, whatever comes of it. */
class NativeCalls implements SingleCalls {
  readonly isLookCheap = true;
  private readonly native: Native;
  private readonly readNumber: number;
  private readonly writeNumber: number;
  private readonly memory: ArrayBufferLike;
  /** Where the memory of the views begins. */
  private readonly base: number;
  private readonly address: number;
  private readonly length: number;

  constructor(native: Native, { address, bytes }: Arena, buffer: Uint8Array) {
    this.native = native;
    this.readNumber = native.calls.read;
    this.writeNumber = native.calls.write;
    this.memory = bytes.buffer;
    this.base = address - bytes.byteOffset;
    this.address = this.base + buffer.byteOffset;
    this.length = buffer.length;
  }

  read(fd: number): number {
    return this.native.syscall(this.readNumber, fd, this.address, this.length);
  }

  write(fd: number, bytes: Uint8Array, from: number, length: number): number {
    // What handlers make elsewhere has no address.
    if (bytes.buffer !== this.memory) return nodeWrite(fd, bytes, from, length);
    return this.native.syscall(this.writeNumber, fd, this.base + bytes.byteOffset + from, length);
  }
}

function nodeWrite(fd: number, bytes: Uint8Array, from: number, length: number): number {
  try {
    return writeSync(fd, bytes, from, length);
  } catch (error) {
    return negativeErrno(error);
  }
}
