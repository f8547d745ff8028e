import type { Arena, Native } from '../net/ffi/native.ts';
import type { Architecture } from './abi.ts';

/** Bytes of a set of processors: of as many as any kernel knows. */
const SET_BYTES = 1024;
/** In the memory: the thread's own set, the one to use meanwhile, and the number of the processor. */
const OWN = 0;
const MEANWHILE = SET_BYTES;
const NUMBER = 2 * SET_BYTES;

/**
 * Has a thread that waits for this one go on on this one's processor, where the two take turns: an idle processor takes ten
 * times as long to wake as a change of threads, on virtual machines more. Of one thread.
 */
export class SharedProcessor {
  private readonly native: Native;
  private readonly arch: Architecture;
  private readonly memory: Arena;
  /** Where calls are dear nothing is won. */
  private readonly isUseful: boolean;

  constructor(native: Native, arch: Architecture) {
    this.native = native;
    this.arch = arch;
    this.memory = native.arena(NUMBER + 8);
    this.isUseful = native.name === 'koffi';
  }

  /**
   * @returns what `perform` returns, during which the thread cannot run elsewhere. It may run afterwards where it could before;
   * one that may not run here, or that this process may not tell where to run, is left alone
   */
  during<T>(tid: number, perform: () => T): T {
    const length = this.isUseful ? this.confine(tid) : 0;
    try {
      return perform();
    } finally {
      if (length > 0)
        this.native.syscall(this.arch.syscalls.sched_setaffinity, tid, length, this.memory.address + OWN);
    }
  }

  /** @returns bytes of the thread's own set; 0 if it was left alone */
  private confine(tid: number): number {
    const { native, memory } = this;
    const { address, bytes } = memory;
    const { sched_getaffinity, sched_setaffinity, getcpu } = this.arch.syscalls;
    const length = native.syscall(sched_getaffinity, tid, SET_BYTES, address + OWN);
    if (length <= 0 || native.syscall(getcpu, address + NUMBER, 0, 0) < 0) return 0;
    const processor = bytes.readUInt32LE(NUMBER);
    const bit = 1 << (processor & 7);
    if ((bytes[OWN + (processor >> 3)]! & bit) === 0) return 0;
    bytes.fill(0, MEANWHILE, MEANWHILE + length);
    bytes[MEANWHILE + (processor >> 3)] = bit;
    return native.syscall(sched_setaffinity, tid, length, address + MEANWHILE) < 0 ? 0 : length;
  }
}
