import type { Arena, Native } from '../net/ffi/native.ts';
import { type Architecture, E } from './abi.ts';
import { SharedProcessor } from './shared-processor.ts';

/** Requests of ioctl(2) on a listener (linux/seccomp.h). */
const IOCTL = {
  RECV: 0xc0502100,
  SEND: 0xc0182101,
  ID_VALID: 0x40082102,
  ADDFD: 0x40182103,
  SET_FLAGS: 0x40082104,
};
const CONTINUE = 1;
const ADDFD_FLAG = { SETFD: 1, SEND: 2 };
const SYNC_WAKE_UP = 1;

/** Where the structures are in the memory, and fields in them; bytes. */
const NOTIFICATION = 0;
const NOTIFICATION_LEN = 80;
const ID = NOTIFICATION;
const PID = 8;
const NUMBER = 16;
const ARGUMENTS = 32;
const RESPONSE = 128;
const ADDFD = 192;
const IDENTIFIER = 256;
const MEMORY_LEN = 4096;
/** Descriptors that a thread gets within this time are in a row. */
const ROW_MS = 100;

/** A system call that waits for an answer. */
export interface Call {
  readonly id: bigint;
  /** Thread that made the call. */
  readonly tid: number;
  readonly number: number;
  /** The six arguments, each below 2^53 or, where it was a negative int, its 32 low bits. */
  readonly args: readonly number[];
}

/** A new descriptor in the process that waits. */
export interface Injection {
  /** Our descriptor, of which the process gets another one. */
  readonly source: number;
  /** The number that it gets; -1: the lowest free one. */
  readonly number: number;
  readonly closeOnExec: boolean;
}

/** The listener of a filter: receives calls that are watched and answers them. Of one thread. */
export class Listener {
  readonly fd: number;
  private readonly native: Native;
  private readonly ioctl: number;
  private readonly memory: Arena;
  private readonly view: DataView;
  private readonly processor: SharedProcessor;
  /** The thread that got the last descriptor, and when. */
  private lastTaker = 0;
  private takenAt = 0;

  constructor(native: Native, arch: Architecture, fd: number) {
    this.fd = fd;
    this.native = native;
    this.ioctl = arch.syscalls.ioctl;
    this.processor = new SharedProcessor(native, arch);
    this.memory = native.arena(MEMORY_LEN);
    const { buffer, byteOffset } = this.memory.bytes;
    this.view = new DataView(buffer, byteOffset, MEMORY_LEN);
    // Kernels before 6.6 refuse it: their wake-ups just take longer.
    native.syscall(this.ioctl, fd, IOCTL.SET_FLAGS, SYNC_WAKE_UP);
  }

  /** Waits for the next call. @returns `undefined` if a signal came, or the caller ended, meanwhile */
  receive(): Call | undefined {
    this.memory.bytes.fill(0, NOTIFICATION, NOTIFICATION_LEN);
    if (this.native.quick(this.ioctl, this.fd, IOCTL.RECV, this.memory.address + NOTIFICATION, 0) !== 0) {
      return undefined;
    }
    const args = [this.argument(0), this.argument(1), this.argument(2)];
    args.push(this.argument(3), this.argument(4), this.argument(5));
    return {
      id: this.view.getBigUint64(ID, true),
      tid: this.view.getUint32(PID, true),
      number: this.view.getInt32(NUMBER, true),
      args,
    };
  }

  /** Whether the caller still waits: its thread number has not gone to another thread then. */
  isWaiting(call: Call): boolean {
    this.view.setBigUint64(IDENTIFIER, call.id, true);
    return this.native.quick(this.ioctl, this.fd, IOCTL.ID_VALID, this.memory.address + IDENTIFIER, 0) === 0;
  }

  /** Has the call return `value`, or fail where that is -errno. */
  answer(call: Call, value: number): void {
    this.respond(call, Math.max(value, 0), Math.min(value, 0), 0);
  }

  /** Has the kernel perform the call as if nobody had looked. */
  pass(call: Call): void {
    this.respond(call, 0, 0, CONTINUE);
  }

  /** Answers the call with a new descriptor. @returns its number, or -errno: the call still waits then */
  inject(call: Call, { source, number, closeOnExec }: Injection): number {
    const { view } = this;
    view.setBigUint64(ADDFD, call.id, true);
    view.setUint32(ADDFD + 8, number < 0 ? ADDFD_FLAG.SEND : ADDFD_FLAG.SEND | ADDFD_FLAG.SETFD, true);
    view.setUint32(ADDFD + 12, source, true);
    view.setUint32(ADDFD + 16, Math.max(number, 0), true);
    view.setUint32(ADDFD + 20, closeOnExec ? 0o2000000 : 0, true);
    const inject = (): number => {
      for (;;) {
        const result = this.native.syscall(this.ioctl, this.fd, IOCTL.ADDFD, this.memory.address + ADDFD);
        if (result !== -E.EINTR) return result;
      }
    };
    // The caller takes it while this thread waits.
    return this.isInARow(call.tid) ? this.processor.during(call.tid, inject) : inject();
  }

  /** Whether a thread that gets a descriptor now got the last one too, a moment ago: programs on libnl do at each command. */
  private isInARow(tid: number): boolean {
    const now = performance.now();
    const isNext = tid === this.lastTaker && now - this.takenAt < ROW_MS;
    this.lastTaker = tid;
    this.takenAt = now;
    return isNext;
  }

  /** A caller that has ended meanwhile needs no answer. */
  private respond(call: Call, value: number, error: number, flags: number): void {
    const { view } = this;
    view.setBigUint64(RESPONSE, call.id, true);
    view.setBigInt64(RESPONSE + 8, BigInt(value), true);
    view.setInt32(RESPONSE + 16, error, true);
    view.setUint32(RESPONSE + 20, flags, true);
    this.native.quick(this.ioctl, this.fd, IOCTL.SEND, this.memory.address + RESPONSE, 0);
  }

  private argument(index: number): number {
    const at = ARGUMENTS + 8 * index;
    const high = this.view.getUint32(at + 4, true);
    const low = this.view.getUint32(at, true);
    return high > 0x1fffff ? low : high * 2 ** 32 + low;
  }
}
