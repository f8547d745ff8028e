import { createRequire } from 'node:module';
import { arch } from 'node:process';
import { DeviceError } from './device-error.ts';

/** Linux system-call numbers by architecture (arch/x86 syscall_64.tbl; include/uapi/asm-generic/unistd.h). */
const CALLS = {
  x64: {
    mmap: 9,
    ioctl: 16,
    madvise: 28,
    socket: 41,
    connect: 42,
    bind: 49,
    getsockname: 51,
    setsockopt: 54,
    socketpair: 53,
    bpf: 321,
    io_uring_setup: 425,
    io_uring_enter: 426,
  },
  arm64: {
    mmap: 222,
    ioctl: 29,
    madvise: 233,
    socket: 198,
    connect: 203,
    bind: 200,
    getsockname: 204,
    setsockopt: 208,
    socketpair: 199,
    bpf: 280,
    io_uring_setup: 425,
    io_uring_enter: 426,
  },
} as const;

/** C libraries by the name their loader knows: glibc, then musl. */
const LIBRARIES = ['libc.so.6', 'libc.so'];

const PAGE_BYTES = 4096;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 0x01;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const MADV_DONTNEED = 4;
const ENOMEM = 12;

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

/** The C library as the device layer sees it. Numbers are at most 2^53, so that addresses fit. */
export interface Native {
  readonly calls: SystemCalls;
  /** @returns the result, or -errno */
  syscall(call: number, a?: number, b?: number, c?: number, d?: number, e?: number, f?: number): number;
  /** As `syscall`, a third cheaper. @returns -1 for any error; its errno is unknown */
  quick(call: number, a: number, b: number, c: number, d: number): number;
  /** @throws DeviceError if there is no memory */
  arena(lengthBytes: number): Arena;
  /** Gives an arena back. Its views must not be used by the releaser any more. */
  release(arena: Arena): void;
  /** Maps a file, shared; for good. @throws DeviceError */
  mapFile(fd: number, lengthBytes: number, offset: number): Arena;
}

type Ffi = typeof import('ffi-rs');

let loaded: Native | undefined;

/**
 * Opens the C library at the first call; every later call gives the same.
 * @throws DeviceError if this architecture is not known or the addon cannot be loaded
 */
export function native(): Native {
  loaded ??= openLibrary();
  return loaded;
}

/**
 * Loads the addon, where it can be, for as long as the process lives: to be called by the main thread before threads use it.
 * The last thread that has it unloads it at its end, and the process dies by what it has left behind.
 */
export function keepAddonLoaded(): void {
  try {
    loadAddon();
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
  }
}

function openLibrary(): Native {
  const calls = Object.entries(CALLS).find(([name]) => name === arch)?.[1];
  if (calls === undefined) throw new DeviceError('call the kernel', `no system-call numbers for ${arch}`);
  const ffi = loadAddon();
  let last: unknown;
  for (const path of LIBRARIES) {
    try {
      ffi.open({ library: 'c', path });
      return new FfiRs(ffi, calls);
    } catch (error) {
      last = error;
    }
  }
  throw new DeviceError(`open ${LIBRARIES.join(' or ')}`, reason(last));
}

function loadAddon(): Ffi {
  try {
    return createRequire(import.meta.url)('ffi-rs');
  } catch (error) {
    throw new DeviceError(
      'load ffi-rs',
      reason(error),
      'the packet plane needs its addon for this platform (npm install with optional dependencies)',
    );
  }
}

const reason = (error: unknown): string =>
  String(error instanceof Error ? error.message : error).split('\n')[0]!;

/** ffi-rs: 7 to 11 us a call, so calls are for set-up and for whole batches. Parameter objects are reused. */
class FfiRs implements Native {
  readonly calls: SystemCalls;
  private readonly ffi: Ffi;
  private readonly all: number[] = [0, 0, 0, 0, 0, 0, 0];
  private readonly few: number[] = [0, 0, 0, 0, 0];
  private readonly withErrno;
  private readonly bare;
  private readonly spare = new Map<number, Arena[]>();

  constructor(ffi: Ffi, calls: SystemCalls) {
    this.ffi = ffi;
    this.calls = calls;
    const { I64 } = ffi.DataType;
    const common = { library: 'c', funcName: 'syscall', retType: I64 } as const;
    const types = (values: readonly number[]) => values.map(() => I64);
    this.withErrno = {
      ...common,
      paramsType: types(this.all),
      paramsValue: this.all,
      errno: true as const,
    };
    this.bare = { ...common, paramsType: types(this.few), paramsValue: this.few };
  }

  syscall(call: number, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0): number {
    const { all } = this;
    all[0] = call;
    all[1] = a;
    all[2] = b;
    all[3] = c;
    all[4] = d;
    all[5] = e;
    all[6] = f;
    const { value, errnoCode } = this.ffi.load(this.withErrno);
    return value === -1 ? -errnoCode : Number(value);
  }

  quick(call: number, a: number, b: number, c: number, d: number): number {
    const { few } = this;
    few[0] = call;
    few[1] = a;
    few[2] = b;
    few[3] = c;
    few[4] = d;
    return Number(this.ffi.load(this.bare));
  }

  arena(lengthBytes: number): Arena {
    const length = wholePages(lengthBytes);
    return this.spare.get(length)?.pop() ?? this.map(length, MAP_PRIVATE_ANONYMOUS, -1, 0);
  }

  release(arena: Arena): void {
    const { length } = arena.bytes;
    this.syscall(this.calls.madvise, arena.address, length, MADV_DONTNEED);
    const others = this.spare.get(length);
    if (others === undefined) this.spare.set(length, [arena]);
    else others.push(arena);
  }

  mapFile(fd: number, lengthBytes: number, offset: number): Arena {
    return this.map(lengthBytes, MAP_SHARED, fd, offset);
  }

  private map(length: number, flags: number, fd: number, offset: number): Arena {
    const address = this.syscall(this.calls.mmap, 0, length, PROT_READ_WRITE, flags, fd, offset);
    if (address < 0) throw new DeviceError(`map ${length} bytes of memory`, address);
    const bytes = this.viewOf(address, length);
    return { address, bytes, view: new DataView(bytes.buffer, bytes.byteOffset, length) };
  }

  /** A pointer that ffi-rs can wrap comes only out of a call: memcpy of nothing returns its first argument. */
  private viewOf(address: number, length: number): Buffer {
    const { External, I64 } = this.ffi.DataType;
    const pointer = this.ffi.load({
      library: 'c',
      funcName: 'memcpy',
      retType: External,
      paramsType: [I64, I64, I64],
      paramsValue: [address, address, 0],
    });
    const bytes = this.ffi.createExternalBuffer(pointer, length);
    if (bytes.length !== length) throw new DeviceError(`see ${length} bytes of memory`, -ENOMEM);
    return bytes;
  }
}

const wholePages = (lengthBytes: number): number => Math.ceil(lengthBytes / PAGE_BYTES) * PAGE_BYTES;
