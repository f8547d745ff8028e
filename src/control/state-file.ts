import { closeSync, constants, fsyncSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Command } from '../core/commands.ts';
import { ERRNO, type Errno, IpvsError } from '../core/errors.ts';
import { type Lock, takeLock } from './lock.ts';
import { formatHeader, formatRecord, parseState, StateFormatError } from './state-format.ts';
import { FILE_IO, type StateIo, writeAll } from './state-io.ts';
import { errorCode, SystemError } from './system-error.ts';

/** From the first write that is not yet on the disk to the start of fdatasync(2), in ms. */
const SYNC_DELAY_MS = 10;
/** A file of fewer records is not compacted. */
const MIN_COMPACTION_RECORDS = 4096;

export interface StateFileOptions {
  /** Start with an empty file; one that exists is kept under another name. */
  readonly fresh?: boolean;
  /** `always`: a record is on the disk before `append` returns. `soon` (default): within 20 ms. */
  readonly fsync?: 'always' | 'soon';
  /** Told, in one line, of what went wrong after a record was acknowledged. */
  readonly warn?: (line: string) => void;
  readonly io?: StateIo;
}

export interface OpenedStateFile {
  readonly file: StateFile;
  /** The changes that lead to the recorded configuration, in order. */
  readonly commands: readonly Command[];
  /** What people should know of: lines. */
  readonly warnings: readonly string[];
}

/** What a snapshot cannot learn from the director: which of its values were ever chosen by somebody. */
export interface Chosen {
  /** Names of the sysctls that were set. */
  readonly sysctls: ReadonlySet<string>;
  readonly timeouts: boolean;
}

/** The journal of accepted changes: one line each, appended before the change is acknowledged. */
export class StateFile {
  readonly path: string;
  private readonly io: StateIo;
  private readonly fsync: 'always' | 'soon';
  private readonly warn: (line: string) => void;
  private readonly lock: Lock;
  private readonly sysctls = new Set<string>();
  private timeoutsChosen = false;
  private fd: number;
  private sizeBytes: number;
  private records: number;
  private compactAt: number;
  private chain: number;
  private broken = false;
  private dirty = false;
  private syncTimer: NodeJS.Timeout | undefined;
  private syncingFd = -1;

  /**
   * Opens or makes the file and takes its lock.
   * @throws SystemError, LockHeld, or StateFileBroken if the file is damaged elsewhere than in a torn last record.
   */
  static open(path: string, options: StateFileOptions = {}): OpenedStateFile {
    const lock = takeLock(dirname(path), basename(path));
    try {
      const warnings = options.fresh ? setAside(path) : [];
      const bytes = readIfThere(path);
      const contents = bytes ? parseOrRefuse(path, bytes) : EMPTY;
      const file = new StateFile(path, options, lock, contents);
      if (!bytes) file.compact([]);
      const torn = (bytes?.length ?? 0) - contents.goodBytes;
      if (torn > 0) {
        file.cutTo(contents.goodBytes);
        warnings.push(`${path}: the last record is torn, its ${torn} bytes were cut off`);
      }
      for (const command of contents.commands) file.note(command);
      return { file, commands: contents.commands, warnings };
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  private constructor(path: string, options: StateFileOptions, lock: Lock, contents: typeof EMPTY) {
    this.path = path;
    this.io = options.io ?? FILE_IO;
    this.fsync = options.fsync ?? 'soon';
    this.warn = options.warn ?? (() => {});
    this.lock = lock;
    this.fd = contents.goodBytes > 0 ? openForAppend(path) : -1;
    this.sizeBytes = contents.goodBytes;
    this.records = contents.commands.length;
    this.compactAt = compactionThreshold(contents.compacted);
    this.chain = contents.chain;
  }

  get chosen(): Chosen {
    return { sysctls: this.sysctls, timeouts: this.timeoutsChosen };
  }

  /** True after an error that leaves the file's end or its way to the disk unknown: it must be compacted first. */
  get damaged(): boolean {
    return this.broken;
  }

  /** True if the file is large relative to the configuration, as far as the last compaction tells. */
  get wantsCompaction(): boolean {
    return this.broken || this.records >= this.compactAt;
  }

  /** Records a change by one write. @throws IpvsError with the errno of the failure; nothing is recorded then. */
  append(command: Command): void {
    if (this.broken) throw new IpvsError('EIO', `${this.path}: damaged by an earlier error`);
    const record = formatRecord(command, this.chain);
    const bytes = new TextEncoder().encode(record.text);
    try {
      writeAll(this.io, this.fd, bytes);
      if (this.fsync === 'always') this.syncNow();
    } catch (error) {
      this.takeBack();
      throw new IpvsError(toErrno(error), `${this.path}: ${errorCode(error)}`);
    }
    this.sizeBytes += bytes.length;
    this.records += 1;
    this.chain = record.chain;
    this.note(command);
    if (this.fsync === 'soon') this.syncSoon();
  }

  /**
   * Replaces the file by one with these commands: new file, fsync, rename, fsync of the directory.
   * @throws SystemError; the old file stays in use unless only the directory's fsync failed.
   */
  compact(commands: readonly Command[]): void {
    const draft = `${this.path}.new`;
    const lines = formatHeader(commands.length);
    const texts = [lines.text];
    let chain = lines.chain;
    for (const command of commands) {
      const record = formatRecord(command, chain);
      texts.push(record.text);
      chain = record.chain;
    }
    const bytes = new TextEncoder().encode(texts.join(''));
    let fd = -1;
    try {
      fd = openForAppend(draft, constants.O_CREAT | constants.O_TRUNC);
      writeAll(this.io, fd, bytes);
      this.io.sync(fd);
      renameSync(draft, this.path);
    } catch (error) {
      if (fd >= 0) closeSync(fd);
      rmSync(draft, { force: true });
      this.compactAt = this.records + MIN_COMPACTION_RECORDS;
      throw new SystemError(`compact ${this.path}`, error);
    }
    this.useFile(fd, bytes.length, commands.length, chain);
    this.syncDirectory();
  }

  /** Brings everything to the disk, closes the file and gives the lock back. */
  close(): void {
    clearTimeout(this.syncTimer);
    if (this.dirty || this.syncingFd >= 0) this.io.sync(this.fd);
    this.dirty = false;
    if (this.syncingFd !== this.fd) closeSync(this.fd);
    this.fd = -1;
    this.lock.release();
  }

  private note(command: Command): void {
    if (command.op === 'set-sysctl') this.sysctls.add(command.name);
    if (command.op === 'set-timeouts') this.timeoutsChosen = true;
  }

  private useFile(fd: number, sizeBytes: number, records: number, chain: number): void {
    clearTimeout(this.syncTimer);
    this.syncTimer = undefined;
    // A running fdatasync still has the old descriptor: its callback closes that.
    if (this.fd >= 0 && this.syncingFd !== this.fd) closeSync(this.fd);
    this.fd = fd;
    this.sizeBytes = sizeBytes;
    this.records = records;
    this.compactAt = compactionThreshold(records);
    this.chain = chain;
    this.dirty = false;
    this.broken = false;
  }

  private syncDirectory(): void {
    try {
      const dir = openSync(dirname(this.path), 'r');
      fsyncSync(dir);
      closeSync(dir);
    } catch (error) {
      this.broken = true;
      throw new SystemError(`sync directory of ${this.path}`, error);
    }
  }

  private cutTo(sizeBytes: number): void {
    this.io.truncate(this.fd, sizeBytes);
    this.io.sync(this.fd);
  }

  private takeBack(): void {
    try {
      this.io.truncate(this.fd, this.sizeBytes);
    } catch (error) {
      this.broken = true;
      this.warn(`${this.path}: cannot take a record back: ${errorCode(error)}`);
    }
  }

  /** After a failed fdatasync nobody knows what is on the disk, so the whole file has to be written anew. */
  private syncNow(): void {
    try {
      this.io.sync(this.fd);
    } catch (error) {
      this.broken = true;
      throw error;
    }
  }

  private syncSoon(): void {
    this.dirty = true;
    if (this.syncTimer || this.syncingFd >= 0) return;
    this.syncTimer = setTimeout(() => {
      this.syncTimer = undefined;
      this.syncInBackground();
    }, SYNC_DELAY_MS);
  }

  private syncInBackground(): void {
    const fd = this.fd;
    this.syncingFd = fd;
    this.dirty = false;
    this.io.syncInBackground(fd, (error) => {
      this.syncingFd = -1;
      if (fd !== this.fd) {
        closeSync(fd);
      } else if (error) {
        this.broken = true;
        this.warn(
          `${this.path}: fdatasync: ${errorCode(error)}; recent changes may not survive a power loss`,
        );
      }
      if (this.dirty) this.syncInBackground();
    });
  }
}

/** A state file that is not used because of damage. The message names file and line. */
export class StateFileBroken extends SystemError {
  override readonly name = 'StateFileBroken';
}

const EMPTY = { commands: [] as readonly Command[], compacted: 0, goodBytes: 0, chain: 0 };

const compactionThreshold = (compacted: number): number => Math.max(MIN_COMPACTION_RECORDS, 2 * compacted);

function parseOrRefuse(path: string, bytes: Uint8Array): typeof EMPTY {
  try {
    return parseState(bytes);
  } catch (error) {
    if (!(error instanceof StateFormatError)) throw error;
    const help = 'nothing was changed; --fresh starts without it and keeps it';
    throw new StateFileBroken(`read ${path}:${error.line}`, error.message, help);
  }
}

/** @returns the warning that tells where the file is. */
function setAside(path: string): string[] {
  if (!readIfThere(path)) return [];
  let kept = `${path}.old`;
  for (let n = 2; readIfThere(kept); n++) kept = `${path}.old.${n}`;
  try {
    renameSync(path, kept);
  } catch (error) {
    throw new SystemError(`rename ${path}`, error);
  }
  return [`${path}: starting empty; the state so far is kept in ${kept}`];
}

function readIfThere(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw new SystemError(`read ${path}`, error);
  }
}

function openForAppend(path: string, extraFlags = 0): number {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_APPEND | extraFlags, 0o600);
  } catch (error) {
    throw new SystemError(`open ${path}`, error);
  }
}

function toErrno(error: unknown): Errno {
  const code = errorCode(error);
  return Object.hasOwn(ERRNO, code) ? (code as Errno) : 'EIO';
}
