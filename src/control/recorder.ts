import type { Command, DirectorPort } from '../core/commands.ts';
import { IpvsError } from '../core/errors.ts';
import { snapshotCommands } from './snapshot.ts';
import type { StateFile } from './state-file.ts';

/** A director that remembers its applied changes until they are settled. */
export interface UndoablePort extends DirectorPort {
  /** Takes the last `count` applied changes back, the last first; they are settled then. */
  undo(count: number): Promise<void>;
  /** The oldest applied change will never be undone. */
  settle(): void;
}

/**
 * A director whose accepted changes are in the state file before they are acknowledged. Changes are applied, recorded
 * and acknowledged in the order in which they came; the next one is applied while the one before is recorded. A change
 * that cannot be recorded is undone, with those applied after it, and refused with the errno of the failure.
 * @param warn told, in one line, what nobody's request can be refused for.
 */
export function recorded(inner: UndoablePort, file: StateFile, warn: (line: string) => void): DirectorPort {
  const recorder = new Recorder(inner, file, warn);
  return { apply: (command) => recorder.apply(command), ask: (query) => inner.ask(query) };
}

/** A change on its way. */
class Change {
  readonly command: Command;
  /** As the director's answer, once it was sent. */
  readonly applied: Promise<void>;
  sent = false;
  /** Why it was undone with an earlier one. */
  undone: unknown;
  private resolve: (answer: Promise<void>) => void = () => {};

  constructor(command: Command) {
    this.command = command;
    this.applied = new Promise((resolve) => {
      this.resolve = resolve;
    });
    // Met when its turn has come.
    this.applied.catch(() => {});
  }

  send(answer: Promise<void>): void {
    this.sent = true;
    this.resolve(answer);
  }
}

class Recorder {
  private readonly inner: UndoablePort;
  private readonly file: StateFile;
  private readonly warn: (line: string) => void;
  /** Neither acknowledged nor refused; the oldest first. */
  private readonly underWay: Change[] = [];
  /** How many steps there are during which no change is sent. */
  private exclusiveSteps = 0;
  /** Resolves when all changes so far are acknowledged or refused. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(inner: UndoablePort, file: StateFile, warn: (line: string) => void) {
    this.inner = inner;
    this.file = file;
    this.warn = warn;
  }

  async apply(command: Command): Promise<void> {
    if (this.file.damaged) this.compactAlone();
    const change = new Change(command);
    this.underWay.push(change);
    this.sendAll();
    const finished = this.last.then(() => this.finish(change));
    this.last = finished.catch(() => {});
    await finished;
    // The compaction takes its turn after the change is acknowledged.
    if (this.file.wantsCompaction) this.compactAlone();
  }

  private sendAll(): void {
    if (this.exclusiveSteps > 0) return;
    for (const change of this.underWay) if (!change.sent) change.send(this.applyNow(change.command));
  }

  private async applyNow(command: Command): Promise<void> {
    if (this.file.damaged) throw new IpvsError('EIO', `${this.file.path} cannot be written`);
    await this.inner.apply(command);
  }

  /** Its turn has come: `change` is the oldest under way. */
  private async finish(change: Change): Promise<void> {
    try {
      await change.applied;
      if (change.undone !== undefined) throw change.undone;
      if (isRecorded(change.command)) this.file.append(change.command);
      this.inner.settle();
    } catch (error) {
      if (change.undone === undefined && !(await isRefusal(change))) await this.undoFromHere(error);
      throw error;
    } finally {
      this.underWay.shift();
    }
  }

  /** Takes back the oldest change under way and all that were applied after it. */
  private async undoFromHere(cause: unknown): Promise<void> {
    const changes = this.underWay.filter(({ sent }) => sent);
    await this.alone(async () => {
      let count = 0;
      for (const change of changes) {
        if (await isRefusal(change)) continue;
        change.undone = cause;
        count++;
      }
      try {
        await this.inner.undo(count);
      } catch (error) {
        this.warn(`changes that are not in ${this.file.path} could not be undone: ${describe(error)}`);
      }
    });
  }

  /** No change is sent until `step` is done. */
  private async alone(step: () => Promise<void>): Promise<void> {
    this.exclusiveSteps++;
    await step();
    this.exclusiveSteps--;
    this.sendAll();
  }

  /** After the changes so far, before the next ones: writes the file anew if it still is worth it. */
  private compactAlone(): void {
    const before = this.last;
    this.last = this.alone(async () => {
      await before;
      if (!this.file.wantsCompaction) return;
      try {
        this.file.compact(await snapshotCommands(this.inner, this.file.chosen));
      } catch (error) {
        this.warn(describe(error));
      }
    });
  }
}

/** Whether the director itself refused the change. */
async function isRefusal({ applied }: Change): Promise<boolean> {
  const [outcome] = await Promise.allSettled([applied]);
  return outcome.status === 'rejected';
}

/** Counters are not configuration. */
const isRecorded = (command: Command): boolean => command.op !== 'zero';

const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error));
