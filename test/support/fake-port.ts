import type { Command, DirectorPort, Query, QueryResults } from '../../src/core/commands.ts';
import { type Errno, IpvsError } from '../../src/core/errors.ts';

/** What is said to a question, by its name. */
export type Answers = {
  readonly [Q in Query['query']]?: (query: Extract<Query, { query: Q }>) => QueryResults[Q];
};

/** A director that gives prepared answers, and refuses every change and any other question. */
export class FakePort implements DirectorPort {
  answers: Answers;
  private readonly errno: Errno;
  private readonly reason: string | undefined;

  constructor(answers: Answers = {}, errno: Errno = 'EOPNOTSUPP', reason?: string) {
    this.answers = answers;
    this.errno = errno;
    this.reason = reason;
  }

  async apply(command: Command): Promise<void> {
    throw new IpvsError(this.errno, this.reason ?? `refused: ${command.op}`);
  }

  ask<Q extends Query>(query: Q): Promise<QueryResults[Q['query']]>;
  async ask(query: Query): Promise<unknown> {
    const answer = this.answers[query.query] as ((query: Query) => unknown) | undefined;
    if (!answer) throw new IpvsError(this.errno, this.reason ?? `no answer to ${query.query}`);
    return answer(query);
  }
}
