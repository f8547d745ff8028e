/** A question of which at most one is under way: those who ask meanwhile get its answer too. */
export class SharedCall<T> {
  private readonly call: () => Promise<T>;
  private readonly limitMs: number;
  private underWay: Promise<T | undefined> | undefined;

  /** @param limitMs how long anyone waits for an answer */
  constructor(call: () => Promise<T>, limitMs: number) {
    this.call = call;
    this.limitMs = limitMs;
  }

  /** @returns the answer, or `undefined` if it failed or did not come in time. A late one still keeps others from asking. */
  async get(): Promise<T | undefined> {
    this.underWay ??= this.start();
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), this.limitMs);
    });
    try {
      return await Promise.race([this.underWay, limit]);
    } finally {
      clearTimeout(timer);
    }
  }

  private async start(): Promise<T | undefined> {
    try {
      return await this.call();
    } catch {
      return undefined;
    } finally {
      this.underWay = undefined;
    }
  }
}
