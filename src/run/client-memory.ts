import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import type { OwnerAccess } from './owner-access.ts';

/** Memory that cannot be reached: the process forbids it, or there is nothing at the address. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

/** The memory of a process that waits for an answer; to be closed before it gets one. */
export class ClientMemory {
  private readonly fd: number;

  /** @throws Unreachable */
  constructor(tid: number, owners: OwnerAccess) {
    try {
      this.fd = owners.look(tid, () => openSync(`/proc/${tid}/mem`, 'r+'));
    } catch (error) {
      throw new Unreachable(`memory of ${tid}`, { cause: error });
    }
  }

  close(): void {
    closeSync(this.fd);
  }

  /** @throws Unreachable unless all `length` bytes are there */
  read(address: number, length: number): Buffer {
    const bytes = this.readSome(address, length);
    if (bytes.length < length) throw new Unreachable(`${length} bytes at ${address}`);
    return bytes;
  }

  /** Reads up to where the memory ends. */
  readSome(address: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    let done = 0;
    while (done < length) {
      const count = attempt(() => readSync(this.fd, bytes, done, length - done, address + done));
      if (count === 0) break;
      done += count;
    }
    return bytes.subarray(0, done);
  }

  /** A text that ends with a zero byte. @returns `undefined` if it is longer */
  readText(address: number, maxLength: number): string | undefined {
    const bytes = this.readSome(address, maxLength);
    const end = bytes.indexOf(0);
    return end < 0 ? undefined : bytes.toString('utf8', 0, end);
  }

  /** @throws Unreachable unless all of it could be written */
  write(address: number, bytes: Uint8Array): void {
    let done = 0;
    while (done < bytes.length) {
      const count = attempt(() => writeSync(this.fd, bytes, done, bytes.length - done, address + done));
      if (count === 0) throw new Unreachable(`${bytes.length} bytes at ${address}`);
      done += count;
    }
  }
}

function attempt(access: () => number): number {
  try {
    return access();
  } catch {
    return 0;
  }
}
