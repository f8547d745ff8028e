import { closeSync, openSync, readlinkSync } from 'node:fs';
import type { Native } from '../net/ffi/native.ts';
import type { Architecture } from './abi.ts';

const CLONE_NEWNET = 0x40000000;
const OWN = '/proc/thread-self/ns/net';

/** Performs calls in the network namespaces of wrapped programs. Of one thread. */
export class NetworkNamespaces {
  private readonly native: Native;
  private readonly arch: Architecture;
  private readonly own = readlinkSync(OWN);
  private home: number | undefined;

  constructor(native: Native, arch: Architecture) {
    this.native = native;
    this.arch = arch;
  }

  /** @returns what `perform` returns, or -errno if this process may not enter the thread's namespace. */
  within(tid: number, perform: () => number): number {
    let theirs: string;
    try {
      theirs = readlinkSync(`/proc/${tid}/ns/net`);
    } catch {
      // It may not be looked into: nothing says that it is elsewhere.
      return perform();
    }
    if (theirs === this.own) return perform();
    this.home ??= openSync(OWN, 'r');
    const there = openSync(`/proc/${tid}/ns/net`, 'r');
    try {
      const error = this.native.syscall(this.arch.syscalls.setns, there, CLONE_NEWNET);
      if (error < 0) return error;
      const result = perform();
      const isBack = this.native.syscall(this.arch.syscalls.setns, this.home, CLONE_NEWNET) === 0;
      if (!isBack) throw new Error('no way back to the own network namespace');
      return result;
    } finally {
      closeSync(there);
    }
  }
}
