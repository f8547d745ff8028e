import { closeSync, fstatSync, readlinkSync, readSync, writeSync } from 'node:fs';
import type { Arena, Native } from '../net/ffi/native.ts';
import { type Architecture, O_CLOEXEC, O_NONBLOCK } from './abi.ts';
import type { OwnerAccess } from './owner-access.ts';

const CHUNK = 4096;

interface Writer {
  /** Where what was written through a duplicate of the descriptor arrives. */
  readonly fd: number;
  readonly setting: string;
}

/** Tells the director of a setting's new text. @returns 0 or -errno */
export type Change = (setting: string, text: string) => Promise<number>;

/**
 * Settings that programs have opened to write. A write through the descriptor that they got is seen as such and answered
 * with the director's errno. A shell moves the descriptor to where its writes are not seen: they arrive in a pipe, and
 * what the director does not accept is told on standard error.
 */
export class SettingWriters {
  private readonly native: Native;
  private readonly pipe2: number;
  private readonly scratch: Arena;
  private readonly byInode = new Map<string, Writer>();
  private readonly change: Change;
  private readonly owners: OwnerAccess;

  constructor(native: Native, arch: Architecture, owners: OwnerAccess, change: Change) {
    this.native = native;
    this.pipe2 = arch.syscalls.pipe2;
    this.scratch = native.arena(CHUNK);
    this.change = change;
    this.owners = owners;
  }

  /** Whether descriptors may be open that only `drain` learns from. */
  get isOpen(): boolean {
    return this.byInode.size > 0;
  }

  /** @param give hands a descriptor to the program. @returns what that returns */
  open(setting: string, give: (fd: number) => number): number {
    const error = this.native.syscall(this.pipe2, this.scratch.address, O_CLOEXEC | O_NONBLOCK);
    if (error < 0) return error;
    const fd = this.scratch.bytes.readInt32LE(0);
    const theirs = this.scratch.bytes.readInt32LE(4);
    const result = give(theirs);
    closeSync(theirs);
    if (result < 0) closeSync(fd);
    else this.byInode.set(`pipe:[${fstatSync(fd).ino}]`, { fd, setting });
    return result;
  }

  /** @returns the setting behind a thread's descriptor; `undefined` if it is none that was opened to write. */
  find(tid: number, fd: number): string | undefined {
    if (this.byInode.size === 0) return undefined;
    try {
      const link = this.owners.look(tid, () => readlinkSync(`/proc/${tid}/fd/${fd}`));
      return this.byInode.get(link)?.setting;
    } catch {
      return undefined;
    }
  }

  /** Applies what has arrived in the pipes, and forgets those that nobody has open any more. */
  async drain(): Promise<void> {
    for (const [inode, writer] of this.byInode) {
      for (let text = received(writer.fd); text !== undefined; text = received(writer.fd)) {
        if (text === '') {
          closeSync(writer.fd);
          this.byInode.delete(inode);
          break;
        }
        const result = await this.change(writer.setting, text);
        if (result < 0) writeSync(2, `uipvs: run: net.ipv4.vs.${writer.setting}: errno ${-result}\n`);
      }
    }
  }
}

/** @returns '' at the end, `undefined` if nothing has come */
function received(fd: number): string | undefined {
  const bytes = Buffer.alloc(CHUNK);
  try {
    return bytes.toString('latin1', 0, readSync(fd, bytes));
  } catch {
    return undefined;
  }
}
