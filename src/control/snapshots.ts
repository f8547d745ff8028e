import { mkdirSync, rmdirSync, rmSync } from 'node:fs';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { type DirectorPort, PROC_NAMES, type ProcName } from '../core/commands.ts';
import { SystemError } from './system-error.ts';

/** From one snapshot's begin to the next one's, in milliseconds; the director's counters move as often. */
export const SNAPSHOT_PERIOD_MS = 2000;
/** Shortest time between two lines about errors, in milliseconds. */
export const COMPLAINT_PERIOD_MS = 60_000;

export interface SnapshotParts {
  readonly runtimeDir: string;
  readonly director: Pick<DirectorPort, 'ask'>;
  /** Takes one line for people. */
  readonly warn: (line: string) => void;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  /** Calls back once after that many milliseconds. @returns what cancels it */
  readonly after: (ms: number, callback: () => void) => () => void;
}

/** Where a program that reads /proc/net finds the snapshots: give it `<runtime directory>/proc` for /proc. */
export const snapshotDir = (runtimeDir: string): string => join(runtimeDir, 'proc', 'net');

/**
 * Keeps files as those of /proc/net in the runtime directory, for programs that cannot ask the director. Each file is
 * replaced as a whole, so a reader sees an old text or a new one. What could not be written is tried again next time.
 */
export class ProcSnapshots {
  private readonly parts: SnapshotParts;
  private readonly dir: string;
  private isStopped = false;
  /** Ends the wait for an answer in this round. */
  private interrupt = (): void => {};
  private cancelTimer = (): void => {};
  private round: Promise<void> = Promise.resolve();
  private lastComplaint = -Infinity;

  constructor(parts: SnapshotParts) {
    this.parts = parts;
    this.dir = snapshotDir(parts.runtimeDir);
  }

  /** Takes snapshots until `stop`. Resolves once the first ones are there, or cannot be. */
  start(): Promise<void> {
    const begin = this.parts.now();
    this.round = this.writeAll().then(() => {
      if (this.isStopped) return;
      const rest = Math.max(0, begin + SNAPSHOT_PERIOD_MS - this.parts.now());
      this.cancelTimer = this.parts.after(rest, () => void this.start());
    });
    return this.round;
  }

  /** Ends the work, without waiting for an answer of the director, and removes the files. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.cancelTimer();
    this.interrupt();
    await this.round;
    removeSnapshots(this.parts.runtimeDir);
  }

  private async writeAll(): Promise<void> {
    // One for each round: a race leaves something behind in every promise that takes part.
    const interrupted = new Promise<undefined>((resolve) => {
      this.interrupt = () => resolve(undefined);
    });
    for (const name of PROC_NAMES) {
      if (this.isStopped) return;
      const path = join(this.dir, name);
      try {
        mkdirSync(this.dir, { recursive: true, mode: 0o755 });
        await this.write(name, path, interrupted);
      } catch (error) {
        this.complain(new SystemError(`write ${path}`, error).message);
      }
    }
  }

  private async write(name: ProcName, path: string, interrupted: Promise<undefined>): Promise<void> {
    const temporary = temporaryPath(this.dir, name);
    let replaced = false;
    try {
      const file = await open(temporary, 'w', 0o644);
      try {
        if (!(await this.copy(name, file, interrupted))) return;
      } finally {
        await file.close();
      }
      await rename(temporary, path);
      replaced = true;
    } finally {
      if (!replaced) attempt(() => rmSync(temporary, { force: true }));
    }
  }

  /** Slice by slice, since a million entries make a long text. @returns false if the end came first */
  private async copy(name: ProcName, file: FileHandle, interrupted: Promise<undefined>): Promise<boolean> {
    for (let from = 0; from >= 0; ) {
      const slice = await Promise.race([this.parts.director.ask({ query: 'proc', name, from }), interrupted]);
      if (slice === undefined) return false;
      await file.appendFile(slice.text);
      from = slice.next;
    }
    return true;
  }

  private complain(line: string): void {
    const now = this.parts.now();
    if (now - this.lastComplaint < COMPLAINT_PERIOD_MS) return;
    this.lastComplaint = now;
    this.parts.warn(`proc snapshots: ${line}`);
  }
}

/** Removes the files that a director has left in its runtime directory, and the directories unless others use them. */
export function removeSnapshots(runtimeDir: string): void {
  const dir = snapshotDir(runtimeDir);
  for (const name of PROC_NAMES) {
    for (const path of [join(dir, name), temporaryPath(dir, name)])
      attempt(() => rmSync(path, { force: true }));
  }
  attempt(() => rmdirSync(dir));
  attempt(() => rmdirSync(join(runtimeDir, 'proc')));
}

const temporaryPath = (dir: string, name: ProcName): string => join(dir, `.${name}.new`);

/** What cannot be removed stays: a director that failed or went on for it would help nobody. */
function attempt(remove: () => void): void {
  try {
    remove();
  } catch {
    // Not empty, not there, or not ours.
  }
}
