import { readdirSync, readFileSync } from 'node:fs';

/** Where /proc does not say: what POSIX systems give at least in practice. */
const USUAL_LIMIT = 1024;

/** Descriptors left to the rest of the process: control sockets, files, the loop itself. */
const RESERVED = 64;

/** How many descriptors this process may open (soft RLIMIT_NOFILE, from /proc/self/limits). */
export function descriptorLimit(): number {
  try {
    const line = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1'));
    const limit = Number(line?.[1]);
    return Number.isSafeInteger(limit) ? limit : USUAL_LIMIT;
  } catch {
    return USUAL_LIMIT;
  }
}

/**
 * The descriptors that relays may hold together. libuv answers EMFILE on accept by closing the client unseen, so
 * running out has to be foreseen by counting.
 */
export class DescriptorBudget {
  readonly limit: number;
  private taken = 0;

  /** @param limit for tests; default: what the process may open, less what it has open and a reserve */
  constructor(limit: number = descriptorLimit() - openDescriptors() - RESERVED) {
    this.limit = Math.max(0, limit);
  }

  get used(): number {
    return this.taken;
  }

  get free(): number {
    return this.limit - this.taken;
  }

  /** @returns false, and takes none, if fewer than `count` are free. */
  take(count: number): boolean {
    if (this.free < count) return false;
    this.taken += count;
    return true;
  }

  give(count: number): void {
    this.taken -= count;
  }
}

function openDescriptors(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return 0;
  }
}
