import { arch, env } from 'node:process';
import { DeviceError } from '../device-error.ts';
import { loadFfiRs } from './ffi-rs.ts';
import { loadKoffi } from './koffi.ts';

/** Linux system-call numbers by architecture (arch/x86 syscall_64.tbl; include/uapi/asm-generic/unistd.h). */
const CALLS = {
  x64: {
    read: 0,
    write: 1,
    mmap: 9,
    ioctl: 16,
    madvise: 28,
    socket: 41,
    connect: 42,
    bind: 49,
    getsockname: 51,
    setsockopt: 54,
    socketpair: 53,
    sched_setscheduler: 144,
    sched_getscheduler: 145,
    bpf: 321,
    io_uring_setup: 425,
    io_uring_enter: 426,
  },
  arm64: {
    read: 63,
    write: 64,
    mmap: 222,
    ioctl: 29,
    madvise: 233,
    socket: 198,
    connect: 203,
    bind: 200,
    getsockname: 204,
    setsockopt: 208,
    socketpair: 199,
    sched_setscheduler: 119,
    sched_getscheduler: 120,
    bpf: 280,
    io_uring_setup: 425,
    io_uring_enter: 426,
  },
} as const;

export type SystemCalls = Readonly<Record<keyof typeof CALLS.x64, number>>;

/**
 * Memory outside the garbage collector's reach, page-aligned and zeroed: its address, for system calls, and views of
 * the same bytes. It is never unmapped, because a view of it may live on; `release` keeps it for the next taker.
 */
export interface Arena {
  readonly address: number;
  readonly bytes: Buffer;
  readonly view: DataView;
}

/** Packages that call the C library, the fastest first: a call takes half a microsecond, or 7 to 11. */
export const FFI_NAMES = ['koffi', 'ffi-rs'] as const;
export type FfiName = (typeof FFI_NAMES)[number];

/** The C library as the device layer sees it. Numbers are at most 2^53, so that addresses fit. */
export interface Native {
  /** The package that calls the C library. */
  readonly name: FfiName;
  readonly calls: SystemCalls;
  /** @returns the result, or -errno */
  syscall(call: number, a?: number, b?: number, c?: number, d?: number, e?: number, f?: number): number;
  /** As `syscall`, by ffi-rs a third cheaper. @returns -1 for any error; its errno is unknown */
  quick(call: number, a: number, b: number, c: number, d: number): number;
  /** @throws DeviceError if there is no memory */
  arena(lengthBytes: number): Arena;
  /** Gives an arena back. Its views must not be used by the releaser any more. */
  release(arena: Arena): void;
  /** Maps a file, shared; for good. @throws DeviceError */
  mapFile(fd: number, lengthBytes: number, offset: number): Arena;
}

/** Opens the C library with a package. @throws DeviceError if the package is missing or finds no C library */
const LOADERS: Readonly<Record<FfiName, (calls: SystemCalls) => Native>> = {
  koffi: loadKoffi,
  'ffi-rs': loadFfiRs,
};

let opened: Native | undefined;

/**
 * Opens the C library at the first call; every later call gives the same. UIPVS_FFI names the package; else it is the
 * fastest that is installed.
 * @throws DeviceError if this architecture is not known or no package can be loaded
 */
export function native(): Native {
  opened ??= openNative(env['UIPVS_FFI']);
  return opened;
}

/** @param wanted the package, `undefined`: any. @throws DeviceError */
export function openNative(wanted: string | undefined): Native {
  const calls = Object.entries(CALLS).find(([name]) => name === arch)?.[1];
  if (calls === undefined) throw new DeviceError('call the kernel', `no system-call numbers for ${arch}`);
  const names = FFI_NAMES.filter((name) => wanted === undefined || name === wanted);
  if (names.length === 0)
    throw new DeviceError('call the kernel', `UIPVS_FFI takes ${FFI_NAMES.join(' or ')}, not '${wanted}'`);
  let last: unknown;
  for (const name of names) {
    try {
      return LOADERS[name](calls);
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error;
      last = error;
    }
  }
  throw last;
}

/**
 * Loads the addon, where it can be, for as long as the process lives: to be called by the main thread before threads use it.
 * The last thread that has it unloads it at its end, and the process dies by what it has left behind.
 */
export function keepAddonLoaded(): void {
  try {
    native();
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
  }
}
