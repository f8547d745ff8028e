import type { Arena, Native } from '../net/ffi/native.ts';
import { type Architecture, POLLIN } from './abi.ts';

const TIMEOUT = 8;
const MEMORY_LEN = 4096;

/** Waits for a descriptor with a time limit. */
export class Poll {
  private readonly native: Native;
  private readonly ppoll: number;
  private readonly memory: Arena;

  constructor(native: Native, arch: Architecture) {
    this.native = native;
    this.ppoll = arch.syscalls.ppoll;
    this.memory = native.arena(MEMORY_LEN);
  }

  isReadable(fd: number, timeoutMs: number): boolean {
    const { address, bytes } = this.memory;
    bytes.writeInt32LE(fd, 0);
    bytes.writeUInt32LE(POLLIN, 4);
    bytes.writeBigUInt64LE(0n, TIMEOUT);
    bytes.writeBigUInt64LE(BigInt(timeoutMs * 1_000_000), TIMEOUT + 8);
    return this.native.syscall(this.ppoll, address, 1, address + TIMEOUT, 0, 8) > 0;
  }
}
