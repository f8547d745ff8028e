/** A job that is done once for all who ask while it waits for its turn: each of them gets what was true when it began. */
export class Coalesced {
  private readonly job: () => Promise<void>;
  private running: Promise<void> = Promise.resolve();
  /** Will begin when what is running has ended. */
  private waiting: Promise<void> | undefined;

  constructor(job: () => Promise<void>) {
    this.job = job;
  }

  /** Resolves or rejects as the job does, which begins after this call. */
  run(): Promise<void> {
    this.waiting ??= this.running.then(() => {
      this.waiting = undefined;
      const done = this.job();
      this.running = done.catch(() => {});
      return done;
    });
    return this.waiting;
  }

  /** Resolves when the job that is running has ended. */
  async ended(): Promise<void> {
    await this.running;
  }
}
