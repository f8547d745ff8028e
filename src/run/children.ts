import { readdirSync, readFileSync } from 'node:fs';
import type { Native } from '../net/ffi/native.ts';
import type { Architecture } from './abi.ts';

const PR_SET_CHILD_SUBREAPER = 36;
const P_PID = 1;
const WEXITED = 4;
const WNOHANG = 1;

/** The processes that became children of this one when their parents ended: daemons that the command started. */
export class AdoptedChildren {
  private readonly native: Native;
  private readonly arch: Architecture;
  private readonly own: ReadonlySet<number>;

  /** @param own children that Node started and waits for */
  constructor(native: Native, arch: Architecture, own: ReadonlySet<number>) {
    this.native = native;
    this.arch = arch;
    this.own = own;
  }

  /** Has processes whose parents end become children of this one. */
  static adopt(native: Native, arch: Architecture): void {
    native.syscall(arch.syscalls.prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  }

  /** Lets those that have ended go. @returns how many run */
  reap(): number {
    const { native, arch } = this;
    for (const pid of this.running()) {
      native.syscall(arch.syscalls.waitid, P_PID, pid, 0, WEXITED | WNOHANG, 0);
    }
    return this.running().length;
  }

  /** Those that have not ended, or not been let go. */
  running(): number[] {
    return childrenOf(process.pid).filter((pid) => !this.own.has(pid));
  }
}

/** Children of all threads of a process; none if it is gone or the kernel does not tell. */
export function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((tid) =>
      readFileSync(`/proc/${pid}/task/${tid}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}
