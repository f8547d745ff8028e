import { closeSync } from 'node:fs';
import { DeviceError } from '../device-error.ts';
import { type Arena, type Native, native } from '../ffi/native.ts';

// uapi linux/io_uring.h
const SUBMIT_ALL = 1 << 7;
const SINGLE_ISSUER = 1 << 12;
const DEFER_TASKRUN = 1 << 13;
const FEAT_SINGLE_MMAP = 1;
const OFF_SQ_RING = 0;
const OFF_SQES = 0x10000000;
const ENTER_GETEVENTS = 1;
const OP_WRITE_VECTOR = 2;
const OP_READ = 22;
const OP_WRITE = 23;
const RWF_NOWAIT = 8;

/** What to ask of io_uring_setup, the best first. Kernels before 6.1 don't know all of them. */
const SETUP_STEPS = [SUBMIT_ALL | SINGLE_ISSUER | DEFER_TASKRUN, 0] as const;

const EINTR = -4;
const EAGAIN = -11;
const EBUSY = -16;
const EINVAL = -22;

/** Retries of a kernel that lacks memory for the moment. */
const PATIENCE = 1000;

/** Offsets in bytes within struct io_uring_params. */
const PARAMS = { BYTES: 120, SQ_ENTRIES: 0, CQ_ENTRIES: 4, FLAGS: 8, FEATURES: 20, SQ_OFF: 40, CQ_OFF: 80 };

const SQE_BYTES = 64;
const CQE_BYTES = 16;

/** Int32 indices within a submission entry; the opcode is the lowest byte of the first. */
const SQE = { OPCODE: 0, FD: 1, OFFSET: 2, ADDRESS: 4, LENGTH: 6, RW_FLAGS: 7, USER_DATA: 8, WORDS: 16 };
const CQE = { USER_DATA: 0, RESULT: 2, WORDS: 4 };

const PER_TWO_TO_32 = 2 ** -32;

/**
 * An io_uring for rounds: operations are added, run together in one system call, and all have ended when it returns.
 * So the completion queue, which is at least as long as the submission queue, cannot overflow. For one thread.
 */
export class Uring {
  /** Operations that fit a round. */
  readonly capacity: number;
  private readonly fd: number;
  private readonly native: Native;
  private readonly ring: Int32Array;
  private readonly entries: Int32Array;
  private readonly results: Int32Array;
  private readonly sqTail: number;
  private readonly cqHead: number;
  private readonly cqTail: number;
  private readonly cqes: number;
  private readonly cqMask: number;
  private count = 0;
  private tail = 0;
  private head = 0;

  /**
   * @param capacity a power of two
   * @param kernel for tests
   * @throws DeviceError if the kernel does not allow it
   */
  constructor(capacity: number, kernel: Native = native()) {
    this.native = kernel;
    const params = this.native.arena(PARAMS.BYTES);
    this.fd = setUp(capacity, params);
    try {
      const u32 = (offset: number): number => params.view.getUint32(offset, true);
      if ((u32(PARAMS.FEATURES) & FEAT_SINGLE_MMAP) === 0)
        throw new DeviceError('set up io_uring', 'this kernel is older than 5.4');
      this.capacity = u32(PARAMS.SQ_ENTRIES);
      const cqEntries = u32(PARAMS.CQ_ENTRIES);
      const array = u32(PARAMS.SQ_OFF + 24);
      const cqes = u32(PARAMS.CQ_OFF + 20);
      const ringBytes = Math.max(cqes + cqEntries * CQE_BYTES, array + this.capacity * 4);
      this.ring = words(this.native.mapFile(this.fd, ringBytes, OFF_SQ_RING));
      this.entries = words(this.native.mapFile(this.fd, this.capacity * SQE_BYTES, OFF_SQES));
      this.results = new Int32Array(this.capacity);
      this.sqTail = u32(PARAMS.SQ_OFF + 4) >> 2;
      this.cqHead = u32(PARAMS.CQ_OFF) >> 2;
      this.cqTail = u32(PARAMS.CQ_OFF + 4) >> 2;
      this.cqes = cqes >> 2;
      this.cqMask = cqEntries - 1;
      for (let i = 0; i < this.capacity; i++) this.ring[(array >> 2) + i] = i;
    } catch (error) {
      closeSync(this.fd);
      throw error;
    } finally {
      this.native.release(params);
    }
  }

  /** Operations added to this round. */
  get added(): number {
    return this.count;
  }

  /** Adds a read that fails with EAGAIN if there is nothing. @returns its number in the round */
  read(fd: number, address: number, lengthBytes: number): number {
    return this.add(OP_READ, fd, address, lengthBytes);
  }

  /**
   * Adds a write that fails with EAGAIN if there is no room. Operations are carried out in the order in which they were
   * added.
   * @returns its number in the round
   */
  write(fd: number, address: number, lengthBytes: number): number {
    return this.add(OP_WRITE, fd, address, lengthBytes);
  }

  /**
   * Adds a write of several pieces as one, as `write` does.
   * @param address of an array of struct iovec
   * @param pieces how many it has
   */
  writeVector(fd: number, address: number, pieces: number): number {
    return this.add(OP_WRITE_VECTOR, fd, address, pieces);
  }

  /** @returns the bytes moved by an operation of the last round, or -errno */
  result(number: number): number {
    return this.results[number]!;
  }

  /**
   * Carries out the round and begins another one.
   * @throws DeviceError if the kernel breaks off: nothing can be said of the round then
   */
  run(): void {
    const { count } = this;
    if (count === 0) return;
    this.count = 0;
    this.ring[this.sqTail] = this.tail;
    const submitted = this.native.quick(this.native.calls.io_uring_enter, this.fd, count, 0, 0);
    const ended = this.reap();
    if (ended < count) this.finish(count, Math.max(submitted, 0), ended);
  }

  close(): void {
    closeSync(this.fd);
  }

  private add(opcode: number, fd: number, address: number, lengthBytes: number): number {
    const { entries, count } = this;
    const at = (this.tail & (this.capacity - 1)) * SQE.WORDS;
    entries[at + SQE.OPCODE] = opcode;
    entries[at + SQE.FD] = fd;
    // Offset -1: the file's own position, as read(2) has it.
    entries[at + SQE.OFFSET] = -1;
    entries[at + SQE.OFFSET + 1] = -1;
    // Stored as an int32, a number loses what is above 32 bits.
    entries[at + SQE.ADDRESS] = address;
    entries[at + SQE.ADDRESS + 1] = address * PER_TWO_TO_32;
    entries[at + SQE.LENGTH] = lengthBytes;
    // O_NONBLOCK is not enough: without this an operation that finds nothing waits, and the round with it.
    entries[at + SQE.RW_FLAGS] = RWF_NOWAIT;
    entries[at + SQE.USER_DATA] = count;
    this.tail = (this.tail + 1) | 0;
    this.count = count + 1;
    return count;
  }

  /** @returns how many operations ended */
  private reap(): number {
    const { ring, cqMask } = this;
    const tail = ring[this.cqTail]!;
    let { head } = this;
    let ended = 0;
    while (head !== tail) {
      const at = this.cqes + (head & cqMask) * CQE.WORDS;
      this.results[ring[at + CQE.USER_DATA]!] = ring[at + CQE.RESULT]!;
      head = (head + 1) | 0;
      ended++;
    }
    this.head = head;
    ring[this.cqHead] = head;
    return ended;
  }

  /** Submits and waits until all is done; hardly ever needed, since no operation waits. */
  private finish(count: number, submitted: number, ended: number): void {
    const { calls } = this.native;
    let patience = PATIENCE;
    while (ended < count) {
      const left = count - submitted;
      const wanted = count - ended;
      const result = this.native.syscall(calls.io_uring_enter, this.fd, left, wanted, ENTER_GETEVENTS);
      if (result > 0) submitted += result;
      else if (result < 0 && !(isPassing(result) && patience-- > 0))
        throw new DeviceError('move packets by io_uring', result);
      ended += this.reap();
    }
  }
}

const isPassing = (result: number): boolean => result === EINTR || result === EAGAIN || result === EBUSY;

const words = ({ bytes }: Arena): Int32Array =>
  new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);

function setUp(capacity: number, params: Arena): number {
  const kernel = native();
  let result = EINVAL;
  for (const flags of SETUP_STEPS) {
    params.bytes.fill(0, 0, PARAMS.BYTES);
    params.view.setUint32(PARAMS.FLAGS, flags, true);
    result = kernel.syscall(kernel.calls.io_uring_setup, capacity, params.address);
    if (result !== EINVAL) break;
  }
  if (result < 0) throw new DeviceError('set up io_uring', result, setUpHelp(result));
  return result;
}

function setUpHelp(result: number): string | undefined {
  switch (result) {
    case -1: // EPERM
      return 'kernel.io_uring_disabled or a seccomp filter forbids it';
    case -38: // ENOSYS
      return 'the kernel lacks it, or a seccomp filter hides it';
    case -12: // ENOMEM
      return 'the limit of locked memory (ulimit -l) is too low';
    default:
      return undefined;
  }
}
