/** Runs jobs one after the other, in the order in which they were given. */
export class Turns {
  private last: Promise<unknown> = Promise.resolve();

  /** Resolves or rejects as the job does; a job that fails keeps no other from its turn. */
  take<T>(job: () => Promise<T>): Promise<T> {
    const done = this.last.then(job);
    this.last = done.catch(() => {});
    return done;
  }
}
