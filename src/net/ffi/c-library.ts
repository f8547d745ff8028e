import { createRequire } from 'node:module';
import { DeviceError } from '../device-error.ts';
import type { Arena, FfiName, Native, SystemCalls } from './native.ts';

/** C libraries by the name their loader knows: glibc, then musl. */
const LIBRARIES = ['libc.so.6', 'libc.so'];

const PAGE_BYTES = 4096;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 0x01;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const MADV_DONTNEED = 4;

/** What is the same for all packages that call the C library. */
export abstract class CLibrary implements Native {
  abstract readonly name: FfiName;
  readonly calls: SystemCalls;
  private readonly spare = new Map<number, Arena[]>();

  constructor(calls: SystemCalls) {
    this.calls = calls;
  }

  abstract syscall(
    call: number,
    a?: number,
    b?: number,
    c?: number,
    d?: number,
    e?: number,
    f?: number,
  ): number;
  abstract quick(call: number, a: number, b: number, c: number, d: number): number;
  /** @returns memory that is mapped. @throws DeviceError */
  protected abstract viewOf(address: number, length: number): Buffer;

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
}

/** @returns what a package exports. @throws DeviceError if it or its addon for this platform is missing */
export function loadPackage<T>(name: FfiName): T {
  try {
    return createRequire(import.meta.url)(name) as T;
  } catch (error) {
    throw new DeviceError(
      `load ${name}`,
      reason(error),
      'the packet plane needs its addon for this platform (npm install with optional dependencies)',
    );
  }
}

/** Opens the C library. @param open throws where there is none of that name. @throws DeviceError */
export function openCLibrary<T>(open: (path: string) => T): T {
  let last: unknown;
  for (const path of LIBRARIES) {
    try {
      return open(path);
    } catch (error) {
      last = error;
    }
  }
  throw new DeviceError(`open ${LIBRARIES.join(' or ')}`, reason(last));
}

const reason = (error: unknown): string =>
  String(error instanceof Error ? error.message : error).split('\n')[0]!;

const wholePages = (lengthBytes: number): number => Math.ceil(lengthBytes / PAGE_BYTES) * PAGE_BYTES;
