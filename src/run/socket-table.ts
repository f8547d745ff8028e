import { existsSync, fstatSync, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { childrenOf } from './children.ts';
import type { ClientSocket } from './client-socket.ts';
import type { FileComparison } from './file-comparison.ts';
import type { DescriptorWindow } from './filter.ts';
import type { OwnerAccess } from './owner-access.ts';

/** So many sockets are held before the first look whether programs still have them. */
const FIRST_SWEEP = 128;
/** An error costs more than all else here. */
const ABSENT_IS_FINE = { throwIfNoEntry: false } as const;

/** The emulated sockets of all wrapped programs, by inode: whoever has a descriptor of one, by whatever way, finds it. */
export class SocketTable {
  private readonly window: DescriptorWindow;
  private readonly owners: OwnerAccess;
  private readonly files: FileComparison;
  private readonly byInode = new Map<number, ClientSocket>();
  /** What was found last behind descriptors of a number: most likely it is there again. */
  private readonly lastFound = new Map<number, ClientSocket>();
  private sweepAt = FIRST_SWEEP;

  constructor(window: DescriptorWindow, owners: OwnerAccess, files: FileComparison) {
    this.window = window;
    this.owners = owners;
    this.files = files;
  }

  /** @returns the socket behind a thread's descriptor; `undefined` if it is none of ours. */
  find(tid: number, fd: number): ClientSocket | undefined {
    const last = this.lastFound.get(fd);
    if (last && this.files.compare(last.fd, tid, fd) === 'same') return last;
    const socket = this.lookUp(tid, fd);
    if (socket) this.lastFound.set(fd, socket);
    return socket;
  }

  private lookUp(tid: number, fd: number): ClientSocket | undefined {
    let link: string;
    try {
      link = this.owners.look(tid, () => linkOf(`/proc/${tid}/fd/${fd}`));
    } catch {
      return undefined;
    }
    const inode = socketInode(link);
    return inode === undefined ? undefined : this.byInode.get(inode);
  }

  /** Adds a socket that a program has got. */
  add(socket: ClientSocket): void {
    this.byInode.set(fstatSync(socket.fd).ino, socket);
    if (this.byInode.size > this.sweepAt) this.sweep();
  }

  /** @returns a number in the window that a thread's process does not use; -1 if there is none. */
  freeNumber(tid: number): number {
    for (let fd = this.window.low; fd < this.window.high; fd++) if (this.isFree(tid, fd)) return fd;
    return -1;
  }

  private isFree(tid: number, fd: number): boolean {
    const found = this.files.look(tid, fd);
    if (found !== 'unknown') return found === 'absent';
    return !this.owners.look(tid, () => lstatSync(`/proc/${tid}/fd/${fd}`, ABSENT_IS_FINE));
  }

  /**
   * Closes the sockets that no program has open any more. Processes that may not be looked into may have any of them:
   * while there is such a one, all stay.
   */
  private sweep(): void {
    const live = new Set<number>();
    const isComplete = descendants(process.pid).every((pid) => this.collect(pid, live));
    if (isComplete) {
      for (const [inode, socket] of this.byInode) {
        if (live.has(inode)) continue;
        socket.close();
        this.byInode.delete(inode);
      }
      // Our descriptors' numbers are free for others.
      this.lastFound.clear();
    }
    this.sweepAt = Math.max(FIRST_SWEEP, 2 * this.byInode.size);
  }

  private collect(pid: number, live: Set<number>): boolean {
    const dir = `/proc/${pid}/fd`;
    let links: readonly string[];
    try {
      // Duplicates made by dup2() may be anywhere.
      links = this.owners.look(pid, () => readdirSync(dir).map((name) => linkOf(`${dir}/${name}`)));
    } catch (error) {
      return isGone(error);
    }
    for (const link of links) {
      const inode = socketInode(link);
      if (inode !== undefined) live.add(inode);
    }
    return true;
  }
}

/** All processes that come from a process, which is their subreaper; without it. Where the kernel does not tell: all. */
function descendants(root: number): number[] {
  if (!existsSync(`/proc/self/task/${root}/children`)) {
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 0 && pid !== root);
  }
  const found: number[] = [];
  const waiting = [root];
  for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
    for (const child of childrenOf(pid)) {
      found.push(child);
      waiting.push(child);
    }
  }
  return found;
}

/** @returns '' if it has been closed meanwhile. @throws where this process may not look */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (isGone(error)) return '';
    throw error;
  }
}

/** @param link of a descriptor */
const socketInode = (link: string): number | undefined =>
  link.startsWith('socket:[') ? Number(link.slice('socket:['.length, -1)) : undefined;

const isGone = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH');
