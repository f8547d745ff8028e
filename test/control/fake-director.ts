import type { UndoablePort } from '../../src/control/recorder.ts';
import type { Command } from '../../src/core/commands.ts';
import { ERRNO, type Errno, IpvsError } from '../../src/core/errors.ts';
import { FakePort } from '../support/fake-port.ts';

/** A director that notes what it is told and gives prepared answers. */
export class FakeDirector extends FakePort implements UndoablePort {
  readonly applied: Command[] = [];
  undone = 0;
  settled = 0;
  /** The next command is refused with this. */
  refusal: Errno | undefined;

  override async apply(command: Command): Promise<void> {
    const errno = this.refusal;
    this.refusal = undefined;
    // Other changes may try to overtake.
    await new Promise((resolve) => setImmediate(resolve));
    if (errno) throw new IpvsError(errno, `refused with ${ERRNO[errno]}`);
    this.applied.push(command);
  }

  async undo(count: number): Promise<void> {
    this.applied.splice(this.applied.length - count);
    this.undone += count;
  }

  settle(): void {
    this.settled += 1;
  }
}
