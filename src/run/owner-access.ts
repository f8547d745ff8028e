import { readFileSync } from 'node:fs';
import type { Native } from '../net/ffi/native.ts';
import type { Architecture } from './abi.ts';

/**
 * Looks into processes below /proc. Root without CAP_SYS_PTRACE, as in most containers, may not look into those of other
 * users, but may look as their user. Of one thread.
 */
export class OwnerAccess {
  private readonly native: Native;
  private readonly arch: Architecture;

  constructor(native: Native, arch: Architecture) {
    this.native = native;
    this.arch = arch;
  }

  /** @returns what `look` returns, which is called again as the thread's user if it was forbidden. @throws what it throws */
  look<T>(tid: number, look: () => T): T {
    try {
      return look();
    } catch (error) {
      const owner = isForbidden(error) ? ownerOf(tid) : undefined;
      if (!owner) throw error;
      return this.as(owner, look);
    }
  }

  /** Only what this thread does to files is done as another user; without the right to that nothing changes. */
  private as<T>({ uid, gid }: Owner, perform: () => T): T {
    const { setfsuid, setfsgid } = this.arch.syscalls;
    // They return what was before; the group comes first, as long as the right to change it is there.
    const ownGid = this.native.syscall(setfsgid, gid);
    const ownUid = this.native.syscall(setfsuid, uid);
    try {
      return perform();
    } finally {
      this.native.syscall(setfsuid, ownUid);
      this.native.syscall(setfsgid, ownGid);
    }
  }
}

/** A process's effective user and group. */
interface Owner {
  readonly uid: number;
  readonly gid: number;
}

function ownerOf(tid: number): Owner | undefined {
  let status: string;
  try {
    status = readFileSync(`/proc/${tid}/status`, 'latin1');
  } catch {
    return undefined;
  }
  const [uid, gid] = ['Uid', 'Gid'].map((name) =>
    Number(new RegExp(`^${name}:\\t\\d+\\t(\\d+)`, 'm').exec(status)?.[1]),
  );
  return { uid: uid!, gid: gid! };
}

const isForbidden = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EPERM');
