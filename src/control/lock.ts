import { linkSync, readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatProcessId, isRunning, ownProcessId, type ProcessId, parseProcessId } from './process-id.ts';
import { errorCode, SystemError } from './system-error.ts';

/** Another process holds the lock. */
export class LockHeld extends SystemError {
  override readonly name = 'LockHeld';
  readonly holder: ProcessId;
  constructor(what: string, holder: ProcessId) {
    super(`use ${what}`, `pid ${holder.pid} has it`);
    this.holder = holder;
  }
}

export interface Lock {
  release(): void;
}

/** Answers for a holder in another pid namespace, of which this process cannot see whether it runs. */
export type IsAlive = (holder: ProcessId) => boolean;

interface Generation {
  readonly number: number;
  readonly holder: ProcessId;
}

/**
 * Takes a lock that a killed holder does not keep: files `NAME.lock.N` in `dir`, of which the one with the highest N
 * names the holder. Whoever finds that holder dead links N + 1, complete with its own name in it, which only one of
 * several succeeds in; it holds the lock if no higher file is there then. Only a holder removes lower files, so that a
 * latecomer who still saw one of them meets the holder's.
 * @throws LockHeld, or SystemError if the directory cannot be written.
 */
export function takeLock(dir: string, name: string, isAlive: IsAlive = () => true): Lock {
  const own = ownProcessId();
  const draft = join(dir, `.${name}.lock.${own.pid}.${process.hrtime.bigint()}`);
  try {
    writeFileSync(draft, formatProcessId(own), { mode: 0o644, flag: 'wx' });
    for (;;) {
      const number = tryTake(dir, name, draft, isAlive);
      if (number > 0) return { release: () => rmSync(lockFile(dir, name, number), { force: true }) };
    }
  } catch (error) {
    throw error instanceof LockHeld ? error : new SystemError(`lock ${join(dir, name)}`, error);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** @returns who holds the lock, or undefined if nobody does (or the holder is dead). */
export function lockHolder(dir: string, name: string): ProcessId | undefined {
  const holder = generations(dir, name).at(-1)?.holder;
  return holder && isRunning(holder) !== false ? holder : undefined;
}

/** @returns the number of the file that was linked, or 0 if a rival was quicker. @throws LockHeld */
function tryTake(dir: string, name: string, draft: string, isAlive: IsAlive): number {
  const before = generations(dir, name).at(-1);
  if (before && (isRunning(before.holder) ?? isAlive(before.holder))) {
    throw new LockHeld(join(dir, name), before.holder);
  }
  const number = (before?.number ?? 0) + 1;
  if (!tryLink(draft, lockFile(dir, name, number))) return 0;
  const all = generations(dir, name);
  if (all.at(-1)?.number !== number) {
    unlinkSync(lockFile(dir, name, number));
    return 0;
  }
  for (const old of all.slice(0, -1)) rmSync(lockFile(dir, name, old.number), { force: true });
  return number;
}

const lockFile = (dir: string, name: string, number: number): string => join(dir, `${name}.lock.${number}`);

/** In ascending order. */
function generations(dir: string, name: string): Generation[] {
  const prefix = `${name}.lock.`;
  return readNames(dir)
    .filter((file) => file.startsWith(prefix) && /^[1-9]\d*$/.test(file.slice(prefix.length)))
    .map((file) => generation(dir, name, Number(file.slice(prefix.length))))
    .filter((found) => found !== undefined)
    .sort((a, b) => a.number - b.number);
}

function readNames(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** A file that is gone by now, or that no lock holder wrote, names nobody: its number still counts. */
function generation(dir: string, name: string, number: number): Generation | undefined {
  let text: string;
  try {
    text = readFileSync(lockFile(dir, name, number), 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  const nobody = { pid: 0, startTicks: '?', bootId: '?', namespace: '?' };
  return { number, holder: parseProcessId(text) ?? nobody };
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}
