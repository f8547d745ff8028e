/** Numbers of the system calls that are used or watched; `undefined`: the architecture has no such call. */
interface SyscallTable {
  readonly read: number;
  readonly write: number;
  readonly readv: number;
  readonly writev: number;
  readonly open: number | undefined;
  readonly openat: number;
  readonly openat2: number;
  readonly close: number;
  readonly stat: number | undefined;
  readonly lstat: number | undefined;
  readonly newfstatat: number;
  readonly statx: number;
  readonly access: number | undefined;
  readonly faccessat: number;
  readonly faccessat2: number;
  readonly readlink: number | undefined;
  readonly readlinkat: number;
  readonly ioctl: number;
  readonly ppoll: number;
  readonly fcntl: number;
  readonly dup: number;
  readonly pipe2: number;
  readonly memfd_create: number;
  readonly socket: number;
  readonly bind: number;
  readonly connect: number;
  readonly getsockname: number;
  readonly getsockopt: number;
  readonly setsockopt: number;
  readonly sendto: number;
  readonly recvfrom: number;
  readonly sendmsg: number;
  readonly recvmsg: number;
  readonly sendmmsg: number;
  readonly recvmmsg: number;
  readonly prctl: number;
  readonly seccomp: number;
  readonly setns: number;
  readonly rt_sigprocmask: number;
  readonly setfsuid: number;
  readonly setfsgid: number;
  readonly waitid: number;
  readonly prlimit64: number;
  readonly exit_group: number;
  readonly process_vm_readv: number;
  readonly process_vm_writev: number;
  readonly kcmp: number;
  readonly sched_setaffinity: number;
  readonly sched_getaffinity: number;
  readonly getcpu: number;
}

export type SyscallName = keyof SyscallTable;

/** What differs from one architecture to the other. */
export interface Architecture {
  /** AUDIT_ARCH_* of linux/audit.h, as the filter sees it. */
  readonly audit: number;
  readonly syscalls: SyscallTable;
  /** Flags of open(2) that are not the same everywhere. */
  readonly O_DIRECTORY: number;
  /** Where the fields of struct stat are, in bytes. */
  readonly stat: StatLayout;
}

export interface StatLayout {
  readonly size: number;
  readonly mode: number;
  /** This and the next have 4 or 8 bytes; only small numbers are written. */
  readonly nlink: number;
  readonly blksize: number;
}

/** The architectures by Node's names (asm/unistd_64.h, asm-generic/unistd.h, asm/stat.h, asm-generic/stat.h). */
export const ARCHITECTURES: Readonly<Record<'x64' | 'arm64', Architecture>> = {
  x64: {
    audit: 0xc000003e,
    O_DIRECTORY: 0o200000,
    stat: {
      size: 144,
      nlink: 16,
      mode: 24,
      blksize: 56,
    },
    syscalls: {
      read: 0,
      write: 1,
      readv: 19,
      writev: 20,
      open: 2,
      openat: 257,
      openat2: 437,
      close: 3,
      stat: 4,
      lstat: 6,
      newfstatat: 262,
      statx: 332,
      access: 21,
      faccessat: 269,
      faccessat2: 439,
      readlink: 89,
      readlinkat: 267,
      ioctl: 16,
      ppoll: 271,
      fcntl: 72,
      dup: 32,
      pipe2: 293,
      memfd_create: 319,
      socket: 41,
      bind: 49,
      connect: 42,
      getsockname: 51,
      getsockopt: 55,
      setsockopt: 54,
      sendto: 44,
      recvfrom: 45,
      sendmsg: 46,
      recvmsg: 47,
      sendmmsg: 307,
      recvmmsg: 299,
      prctl: 157,
      seccomp: 317,
      setns: 308,
      rt_sigprocmask: 14,
      setfsuid: 122,
      setfsgid: 123,
      waitid: 247,
      prlimit64: 302,
      exit_group: 231,
      process_vm_readv: 310,
      process_vm_writev: 311,
      kcmp: 312,
      sched_setaffinity: 203,
      sched_getaffinity: 204,
      getcpu: 309,
    },
  },
  arm64: {
    audit: 0xc00000b7,
    O_DIRECTORY: 0o40000,
    stat: {
      size: 128,
      mode: 16,
      nlink: 20,
      blksize: 56,
    },
    syscalls: {
      read: 63,
      write: 64,
      readv: 65,
      writev: 66,
      open: undefined,
      openat: 56,
      openat2: 437,
      close: 57,
      stat: undefined,
      lstat: undefined,
      newfstatat: 79,
      statx: 291,
      access: undefined,
      faccessat: 48,
      faccessat2: 439,
      readlink: undefined,
      readlinkat: 78,
      ioctl: 29,
      ppoll: 73,
      fcntl: 25,
      dup: 23,
      pipe2: 59,
      memfd_create: 279,
      socket: 198,
      bind: 200,
      connect: 203,
      getsockname: 204,
      getsockopt: 209,
      setsockopt: 208,
      sendto: 206,
      recvfrom: 207,
      sendmsg: 211,
      recvmsg: 212,
      sendmmsg: 269,
      recvmmsg: 243,
      prctl: 167,
      seccomp: 277,
      setns: 268,
      rt_sigprocmask: 135,
      setfsuid: 151,
      setfsgid: 152,
      waitid: 95,
      prlimit64: 261,
      exit_group: 94,
      process_vm_readv: 270,
      process_vm_writev: 271,
      kcmp: 272,
      sched_setaffinity: 122,
      sched_getaffinity: 123,
      getcpu: 168,
    },
  },
};

/** @returns the architecture of a process, or `undefined` if wrapped programs are not supported on it. */
export function architectureOf(nodeArch: string): Architecture | undefined {
  return nodeArch === 'x64' || nodeArch === 'arm64' ? ARCHITECTURES[nodeArch] : undefined;
}

/** asm-generic/fcntl.h, socket.h, stat.h and linux/netlink.h: the same on both architectures. */
export const AF_UNIX = 1;
export const AF_NETLINK = 16;
export const NETLINK_GENERIC = 16;
export const SOCK_STREAM = 1;
export const SOCK_CLOEXEC = 0o2000000;
export const O_CLOEXEC = 0o2000000;
export const O_NONBLOCK = 0o4000;
export const O_ACCMODE = 3;
export const O_CREAT = 0o100;
export const AT_FDCWD = -100;
export const AT_EMPTY_PATH = 0x1000;
export const F_DUPFD = 0;
export const F_GETFL = 3;
export const F_DUPFD_CLOEXEC = 1030;
export const MSG_PEEK = 0x02;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;
export const POLLIN = 1;

/** Errno numbers of system calls. */
export const E = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EISDIR: 21,
  EINVAL: 22,
  EMFILE: 24,
  EROFS: 30,
  ENOSYS: 38,
  EMSGSIZE: 90,
  ENOPROTOOPT: 92,
} as const;
