import { closeSync, openSync, readlinkSync, writeSync } from 'node:fs';
import { posix } from 'node:path';
import type { Arena, Native } from '../net/ffi/native.ts';
import { type Architecture, AT_FDCWD, E, O_ACCMODE, O_CLOEXEC } from './abi.ts';
import type { ClientMemory, MemoryAccess } from './client-memory.ts';
import { type DirectorTexts, failure } from './director-texts.ts';
import type { Call, Listener } from './listener.ts';
import { gather, readVector } from './message-header.ts';
import type { OwnerAccess } from './owner-access.ts';
import { mayBeOurs, type ProcTarget, procTarget } from './proc-paths.ts';
import { SettingWriters } from './setting-writers.ts';
import { SettingsMirror } from './settings-mirror.ts';
import { type FileStatus, statBytes, statxBytes } from './stat-bytes.ts';

/** Paths of ours are short. */
const MAX_PATH = 256;
/** access(): execute or search. */
const X_OK = 1;
const MFD_CLOEXEC = 1;
const LOWEST = -1;
/** The kernel takes a page of what is written into a setting. */
const MAX_WRITTEN = 4096;

export interface ProcFilesParts {
  readonly native: Native;
  readonly arch: Architecture;
  readonly listener: Listener;
  readonly texts: DirectorTexts;
  readonly owners: OwnerAccess;
  /** @returns a number where writes are seen; -1 if there is none */
  readonly freeNumber: (tid: number) => number;
  readonly memories: MemoryAccess;
  /** Called before `close` has something to do. */
  readonly onFiles: () => void;
}

/** The calls that carry a path: where it is, and what it is relative to. */
export interface PathArguments {
  readonly directory: number;
  readonly path: number;
}

/** /proc/net/ip_vs* and /proc/sys/net/ipv4/vs of wrapped programs. Each call tells whether it has answered. */
export class ProcFiles {
  private readonly native: Native;
  private readonly arch: Architecture;
  private readonly listener: Listener;
  private readonly texts: DirectorTexts;
  private readonly owners: OwnerAccess;
  private readonly memories: MemoryAccess;
  private readonly freeNumber: (tid: number) => number;
  private readonly onFiles: () => void;
  private readonly name: Arena;
  private readonly mirror = new SettingsMirror();
  readonly writers: SettingWriters;

  constructor({ native, arch, listener, texts, owners, memories, freeNumber, onFiles }: ProcFilesParts) {
    this.onFiles = onFiles;
    this.native = native;
    this.arch = arch;
    this.listener = listener;
    this.texts = texts;
    this.owners = owners;
    this.memories = memories;
    this.freeNumber = freeNumber;
    this.name = native.arena(4096);
    this.name.bytes.write('ip_vs\0', 'latin1');
    this.writers = new SettingWriters(native, arch, owners, (setting, text) => this.change(setting, text));
  }

  async open(call: Call, where: PathArguments, flags: number): Promise<boolean> {
    const target = this.target(call, where);
    if (!target) return false;
    const result = await this.openTarget(call, target, flags);
    if (result < 0) this.listener.answer(call, result);
    return true;
  }

  async openat2(call: Call): Promise<boolean> {
    const where = { directory: call.args[0]!, path: call.args[1]! };
    if (!this.target(call, where)) return false;
    const flags = this.withMemory(call, (memory) => memory.read(call.args[2]!, 8).readUInt32LE(0));
    return this.open(call, where, flags);
  }

  /** stat() and its like. @param encode makes the structure. @param address where the program wants it */
  status(call: Call, where: PathArguments, address: number, form: 'stat' | 'statx'): boolean {
    const target = this.target(call, where);
    if (!target) return false;
    const status = statusOf(target);
    const bytes = form === 'stat' ? statBytes(this.arch.stat, status) : statxBytes(status);
    this.withMemory(call, (memory) => {
      if (this.listener.isWaiting(call)) memory.write(address, bytes);
    });
    this.listener.answer(call, 0);
    return true;
  }

  /** access() and its like. */
  access(call: Call, where: PathArguments, mode: number): boolean {
    const target = this.target(call, where);
    if (!target) return false;
    this.listener.answer(call, (mode & X_OK) !== 0 && target.kind !== 'settings' ? -E.EACCES : 0);
    return true;
  }

  /** None of the files is a link. */
  readlink(call: Call, where: PathArguments): boolean {
    if (!this.target(call, where)) return false;
    this.listener.answer(call, -E.EINVAL);
    return true;
  }

  /** write() and writev() to a setting. */
  async write(call: Call, isVector: boolean): Promise<boolean> {
    const setting = this.writers.find(call.tid, call.args[0]!);
    if (setting === undefined) return false;
    const text = this.withMemory(call, (memory) =>
      isVector
        ? gather(memory, readVector(memory, call.args[1]!, call.args[2]!))
        : memory.read(call.args[1]!, Math.min(call.args[2]!, MAX_WRITTEN)),
    );
    const result = await this.change(setting, text.toString('latin1'));
    this.listener.answer(call, result < 0 ? result : text.length);
    return true;
  }

  /** Applies what has been written last, and removes what lies in the file system. */
  async close(): Promise<void> {
    await this.writers.drain();
    this.mirror.remove();
  }

  private async change(setting: string, text: string): Promise<number> {
    try {
      await this.texts.change(setting, text);
      return 0;
    } catch (error) {
      return failure(error);
    }
  }

  private async openTarget(call: Call, target: ProcTarget, flags: number): Promise<number> {
    const closeOnExec = (flags & O_CLOEXEC) !== 0;
    const isWriting = (flags & O_ACCMODE) !== 0;
    if (isWriting && target.kind === 'settings') return -E.EISDIR;
    if (isWriting && target.kind === 'text') return -E.EACCES;
    if (isWriting && target.kind === 'setting') {
      const number = this.freeNumber(call.tid);
      if (number < 0) return -E.EMFILE;
      this.onFiles();
      return this.writers.open(target.name, (source) =>
        this.listener.inject(call, { source, number, closeOnExec }),
      );
    }
    let source: number;
    try {
      source = await this.contentOf(target);
    } catch (error) {
      return failure(error);
    }
    if (source < 0) return source;
    const result = this.listener.inject(call, { source, number: LOWEST, closeOnExec });
    closeSync(source);
    return result;
  }

  /** @returns a descriptor to read from, or -errno */
  private async contentOf(target: ProcTarget): Promise<number> {
    if (target.kind === 'settings') {
      const settings = await this.texts.settings();
      this.onFiles();
      return openSync(this.mirror.refresh(settings), 'r');
    }
    const text =
      target.kind === 'text'
        ? await this.texts.text(target.name)
        : (await this.texts.settings(target.name)).map(({ value }) => `${value}\n`).join('');
    const fd = this.native.syscall(this.arch.syscalls.memfd_create, this.name.address, MFD_CLOEXEC);
    if (fd >= 0) writeAll(fd, Buffer.from(text));
    return fd;
  }

  private target(call: Call, where: PathArguments): ProcTarget | undefined {
    const path = this.withMemory(call, (memory) => memory.readText(where.path, MAX_PATH));
    if (path === undefined || path === '') return undefined;
    if (path.startsWith('/')) return procTarget(path);
    if (!mayBeOurs(path)) return undefined;
    const isCurrent = (where.directory | 0) === AT_FDCWD;
    const directory = `/proc/${call.tid}/${isCurrent ? 'cwd' : `fd/${where.directory}`}`;
    const base = this.owners.look(call.tid, () => readlinkSync(directory));
    return procTarget(posix.join(base, path));
  }

  private withMemory<T>(call: Call, use: (memory: ClientMemory) => T): T {
    const memory = this.memories.of(call.tid);
    try {
      return use(memory);
    } finally {
      memory.close();
    }
  }
}

/** Where the path of a call with a directory is, and of one without. */
export const pathAt = ({ args }: Call): PathArguments => ({ directory: args[0]!, path: args[1]! });
export const plainPath = ({ args }: Call): PathArguments => ({ directory: AT_FDCWD, path: args[0]! });

function statusOf(target: ProcTarget): FileStatus {
  if (target.kind === 'settings') return { isDirectory: true, permissions: 0o555 };
  return { isDirectory: false, permissions: target.kind === 'setting' ? 0o644 : 0o444 };
}

/** Writes from the start on, so that the reader's position stays there. */
function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, done);
}
