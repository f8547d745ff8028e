import type { Command, DirectorPort } from '../core/commands.ts';
import { IpvsError } from '../core/errors.ts';
import { snapshotCommands } from './snapshot.ts';
import type { StateFile } from './state-file.ts';

export interface UndoablePort extends DirectorPort {
  /** Takes the last applied command back. */
  undo(): Promise<void>;
}

/**
 * A director whose accepted changes are in the state file before they are acknowledged. Changes go one after the
 * other. A change that cannot be recorded is undone and refused with the errno of the failure.
 * @param warn told, in one line, what nobody's request can be refused for.
 */
export function recorded(inner: UndoablePort, file: StateFile, warn: (line: string) => void): DirectorPort {
  const recorder = new Recorder(inner, file, warn);
  return { apply: (command) => recorder.apply(command), ask: (query) => inner.ask(query) };
}

class Recorder {
  private readonly inner: UndoablePort;
  private readonly file: StateFile;
  private readonly warn: (line: string) => void;
  private last: Promise<unknown> = Promise.resolve();

  constructor(inner: UndoablePort, file: StateFile, warn: (line: string) => void) {
    this.inner = inner;
    this.file = file;
    this.warn = warn;
  }

  /** The compaction takes its turn after the change is acknowledged. */
  async apply(command: Command): Promise<void> {
    await this.inTurn(() => (isRecorded(command) ? this.applyAndRecord(command) : this.inner.apply(command)));
    if (this.file.wantsCompaction) void this.inTurn(() => this.compactOrWarn());
  }

  private inTurn(step: () => Promise<void>): Promise<void> {
    const result = this.last.then(step);
    this.last = result.catch(() => {});
    return result;
  }

  private async applyAndRecord(command: Command): Promise<void> {
    if (this.file.damaged) await this.repair();
    await this.inner.apply(command);
    try {
      this.file.append(command);
    } catch (error) {
      await this.undo();
      throw error;
    }
  }

  private async repair(): Promise<void> {
    await this.compactOrWarn();
    if (this.file.damaged) throw new IpvsError('EIO', `${this.file.path} cannot be written`);
  }

  private async undo(): Promise<void> {
    try {
      await this.inner.undo();
    } catch (error) {
      this.warn(`a change that is not in ${this.file.path} could not be undone: ${describe(error)}`);
    }
  }

  private async compactOrWarn(): Promise<void> {
    if (!this.file.wantsCompaction) return;
    try {
      this.file.compact(await snapshotCommands(this.inner, this.file.chosen));
    } catch (error) {
      this.warn(describe(error));
    }
  }
}

/** Counters are not configuration. */
const isRecorded = (command: Command): boolean => command.op !== 'zero';

const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error));
