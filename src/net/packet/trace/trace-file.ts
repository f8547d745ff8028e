import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { resolve } from 'node:path';
import { PCAPNG_MAGIC } from './pcapng.ts';

/** Packets are private: only the owner reads them. */
const MODE = 0o600;

/** A trace's file that cannot be written; the message is a line for people. */
export class TraceFileError extends Error {
  override readonly name = 'TraceFileError';
}

/**
 * A file that never grows above its share of `maxBytes`: once it is full it becomes FILE.1, in the place of the one
 * before, and a new one starts. So the newest half of `maxBytes`, or more, is always there.
 */
export class TraceFile {
  readonly path: string;
  private readonly limit: number;
  private readonly head: Uint8Array;
  private fd: number;
  /** Bytes in the present file. */
  private size = 0;

  /**
   * An older trace at the path is kept as FILE.1.
   * @param head what each file starts with
   * @throws TraceFileError if the path cannot be written, or something else than a trace is there
   */
  constructor(path: string, maxBytes: number, head: Uint8Array) {
    this.path = resolve(path);
    this.limit = Math.floor(maxBytes / 2);
    this.head = head;
    expectTrace(this.older);
    const found = expectTrace(this.path);
    this.fd = this.attempt(() => {
      if (found === 'trace') renameSync(this.path, this.older);
      if (found === 'empty') unlinkSync(this.path);
      return this.start();
    });
  }

  /**
   * Writes whole blocks, of fewer bytes than a file may have.
   * @throws TraceFileError; the file ends with a whole block then
   */
  write(blocks: Uint8Array): void {
    this.attempt(() => {
      if (this.size + blocks.length > this.limit) this.rotate();
      this.append(blocks);
    });
  }

  close(): void {
    closeSync(this.fd);
  }

  private get older(): string {
    return `${this.path}.1`;
  }

  private rotate(): void {
    renameSync(this.path, this.older);
    const full = this.fd;
    this.fd = this.start();
    closeSync(full);
  }

  /** @returns a new file, which has its head */
  private start(): number {
    const { O_WRONLY, O_CREAT, O_EXCL } = constants;
    const fd = openSync(this.path, O_WRONLY | O_CREAT | O_EXCL, MODE);
    try {
      writeSync(fd, this.head);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.size = this.head.length;
    return fd;
  }

  private append(blocks: Uint8Array): void {
    let done = 0;
    try {
      while (done < blocks.length) done += writeSync(this.fd, blocks, done);
    } catch (error) {
      ftruncateSync(this.fd, this.size);
      throw error;
    }
    this.size += blocks.length;
  }

  private attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw new TraceFileError(`write packets to ${this.path}: ${codeOf(error)}`, { cause: error });
    }
  }
}

/** @throws TraceFileError if a file is there that is no trace */
function expectTrace(path: string): 'absent' | 'empty' | 'trace' {
  let fd: number;
  try {
    // Without O_NONBLOCK a pipe would wait for its other end.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'absent';
    throw new TraceFileError(`write packets to ${path}: ${codeOf(error)}`, { cause: error });
  }
  try {
    const stat = fstatSync(fd);
    if (stat.isFile() && stat.size === 0) return 'empty';
    const start = new Uint8Array(PCAPNG_MAGIC.length);
    if (stat.isFile()) readSync(fd, start, 0, start.length, 0);
    if (PCAPNG_MAGIC.every((byte, i) => start[i] === byte)) return 'trace';
  } finally {
    closeSync(fd);
  }
  throw new TraceFileError(`write packets to ${path}: something else than a pcapng file is there`);
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : String(error);
}
