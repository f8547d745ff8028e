import { readFileSync } from 'node:fs';
import type { Arena, Native } from '../net/ffi/native.ts';
import type { Architecture } from './abi.ts';

const RLIMIT_NOFILE = 7;
const SOFT = 0;

/**
 * How many descriptors a process may have. Node raises its own limit at the start; the command is to get the one that
 * this process was started with, of which its parent's tells.
 */
export class DescriptorLimit {
  /** The command's soft limit. */
  readonly soft: number;
  private readonly native: Native;
  private readonly prlimit: number;
  private readonly memory: Arena;

  constructor(native: Native, arch: Architecture) {
    this.native = native;
    this.prlimit = arch.syscalls.prlimit64;
    this.memory = native.arena(4096);
    native.syscall(this.prlimit, 0, RLIMIT_NOFILE, 0, this.memory.address);
    const current = Number(this.memory.bytes.readBigUInt64LE(SOFT));
    this.soft = Math.min(current, softLimitOf(process.ppid) ?? current);
  }

  /** Runs `start` under the command's limit. */
  during<T>(start: () => T): T {
    const { bytes } = this.memory;
    const current = bytes.readBigUInt64LE(SOFT);
    this.set(BigInt(this.soft));
    try {
      return start();
    } finally {
      this.set(current);
    }
  }

  private set(soft: bigint): void {
    this.memory.bytes.writeBigUInt64LE(soft, SOFT);
    this.native.syscall(this.prlimit, 0, RLIMIT_NOFILE, this.memory.address, 0);
  }
}

function softLimitOf(pid: number): number | undefined {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'latin1'))?.[1];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}
