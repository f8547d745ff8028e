/** Changes that may be under way at once; more would only fill buffers. */
const MOST_UNDER_WAY = 128;

/** Changes that are sent without waiting for the answers to earlier ones; outcomes are reported in their order. */
export class ChangeQueue<T> {
  private underWay = 0;
  private last: Promise<void> = Promise.resolve();
  private readonly report: (outcome: PromiseSettledResult<void>, of: T) => void;

  /** @param report called for each change in order; what it throws ends the queue */
  constructor(report: (outcome: PromiseSettledResult<void>, of: T) => void) {
    this.report = report;
  }

  /** Takes a change that was just sent; resolves when another one may be. */
  async add(change: Promise<void>, of: T): Promise<void> {
    const settled = Promise.allSettled([change]);
    this.underWay++;
    this.last = this.last.then(async () => {
      const [outcome] = await settled;
      this.underWay--;
      this.report(outcome, of);
    });
    // The failure of a report is met by whoever waits next.
    this.last.catch(() => {});
    if (this.underWay >= MOST_UNDER_WAY) await this.drained();
  }

  /** Resolves when all changes so far are reported. */
  drained(): Promise<void> {
    return this.last;
  }
}
