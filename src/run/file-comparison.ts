import type { Native } from '../net/ffi/native.ts';
import { type Architecture, E } from './abi.ts';

/** Type of a comparison by kcmp(2). */
const KCMP_FILE = 0;

/** What is behind a program's descriptor: the file that ours is of, another one, nothing; or that cannot be told. */
export type Found = 'same' | 'other' | 'absent' | 'unknown';

/**
 * Compares the files behind descriptors of wrapped programs with ours, which takes a tenth of looking below /proc. A
 * container may refuse it, as may a process of another user; where calls are dear it costs more. Of one thread.
 */
export class FileComparison {
  private readonly native: Native;
  private readonly kcmp: number;
  /** Any descriptor of ours that is open. */
  private readonly own: number;
  private isUsable: boolean;

  constructor(native: Native, arch: Architecture, own: number) {
    this.native = native;
    this.kcmp = arch.syscalls.kcmp;
    this.own = own;
    this.isUsable = native.name === 'koffi';
  }

  /** @param ours an open descriptor of this process. @param theirs one of the thread's process */
  compare(ours: number, tid: number, theirs: number): Found {
    if (!this.isUsable) return 'unknown';
    const result = this.native.syscall(this.kcmp, process.pid, tid, KCMP_FILE, ours, theirs);
    if (result >= 0) return result === 0 ? 'same' : 'other';
    if (result === -E.ENOSYS) this.isUsable = false;
    return result === -E.EBADF ? 'absent' : 'unknown';
  }

  /** Whether there is a file behind a descriptor of the thread's process at all. */
  look(tid: number, theirs: number): Found {
    return this.compare(this.own, tid, theirs);
  }
}
