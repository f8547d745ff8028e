import type { UndoablePort } from '../../src/control/recorder.ts';
import type { Command, Query, QueryResults } from '../../src/core/commands.ts';
import { ERRNO, type Errno, IpvsError } from '../../src/core/errors.ts';

type Answers = { readonly [Q in Query['query']]?: (query: Extract<Query, { query: Q }>) => QueryResults[Q] };

/** A director that notes what it is told and gives prepared answers. */
export class FakeDirector implements UndoablePort {
  readonly applied: Command[] = [];
  undone = 0;
  settled = 0;
  /** The next command is refused with this. */
  refusal: Errno | undefined;
  answers: Answers = {};

  async apply(command: Command): Promise<void> {
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

  ask<Q extends Query>(query: Q): Promise<QueryResults[Q['query']]>;
  async ask(query: Query): Promise<unknown> {
    const answer = this.answers[query.query] as ((query: Query) => unknown) | undefined;
    if (!answer) throw new IpvsError('EOPNOTSUPP', `no answer to ${query.query}`);
    return answer(query);
  }
}
