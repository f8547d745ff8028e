import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { SystemError } from '../control/system-error.ts';
import type { Native } from '../net/ffi/native.ts';
import { type Architecture, E } from './abi.ts';
import { INSTRUCTION_LEN } from './bpf.ts';

const SECCOMP_SET_MODE_FILTER = 1;
const NEW_LISTENER = 8;
/** A call that is being answered is interrupted by fatal signals only. Since Linux 5.19. */
const WAIT_KILLABLE_RECV = 32;
const PR_SET_NO_NEW_PRIVS = 38;

/** The calling thread, or one it comes from, has a listener already; the kernel allows one. */
export class ListenerExists extends Error {
  override readonly name = 'ListenerExists';
}

/**
 * Puts the filter on the calling thread and all that it starts from now on.
 * @returns the listener's descriptor
 * @throws ListenerExists, or SystemError that says what is missing
 */
export function installFilter(native: Native, arch: Architecture, filter: Uint8Array): number {
  const { syscalls } = arch;
  const memory = native.arena(16 + filter.length);
  memory.bytes.writeUInt16LE(filter.length / INSTRUCTION_LEN, 0);
  memory.bytes.writeBigUInt64LE(BigInt(memory.address + 16), 8);
  memory.bytes.set(filter, 16);
  const install = (): number =>
    native.syscall(
      syscalls.seccomp,
      SECCOMP_SET_MODE_FILTER,
      NEW_LISTENER | WAIT_KILLABLE_RECV,
      memory.address,
    );
  let fd = install();
  if (fd === -E.EACCES) {
    // Without CAP_SYS_ADMIN a filter is for those only who can gain no privileges, by set-uid programs or otherwise.
    native.syscall(syscalls.prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    fd = install();
  }
  if (fd === -E.EBUSY) throw new ListenerExists('this process has a seccomp listener already');
  if (fd < 0) throw new SystemError('watch the system calls of programs', refusalReason(-fd), HELP[-fd]);
  return fd;
}

const HELP: Readonly<Record<number, string>> = {
  [E.EPERM]: 'a container profile that allows seccomp(2) would help',
  [E.ENOSYS]: 'Linux 5.19 or newer with CONFIG_SECCOMP_FILTER would help',
  [E.EINVAL]: 'Linux 5.19 or newer would help',
};

/** @param errno of seccomp(2) */
function refusalReason(errno: number): string {
  const kernel = `Linux ${release()}`;
  switch (errno) {
    case E.EINVAL:
      return `${kernel} has no seccomp user notification that signals leave alone (SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)`;
    case E.ENOSYS:
      return `${kernel} has no seccomp(2), or something hides it`;
    case E.EPERM:
      return 'seccomp(2) is forbidden here (EPERM)';
    default:
      return `seccomp(2) fails with errno ${errno}`;
  }
}

/** Whether /proc shows this process, as it must to find what belongs to wrapped programs. */
export function hasProc(): boolean {
  try {
    return readFileSync('/proc/self/stat', 'latin1').startsWith(`${process.pid} `);
  } catch {
    return false;
  }
}
