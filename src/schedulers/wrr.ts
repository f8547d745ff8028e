import type { Destination } from '../core/destination.ts';
import { gcd } from '../core/gcd.ts';
import { NO_DEST, type Scheduler, type SchedulerSpec } from '../core/scheduler.ts';

const HEAD = -1;

/**
 * Weighted round robin: the threshold falls from the highest weight by the greatest common divisor, pass after pass;
 * a server is chosen in each pass whose threshold its weight reaches (ip_vs_wrr.c).
 */
class WeightedRoundRobin implements Scheduler {
  /** Index of the server chosen last. */
  private last = HEAD;
  /** Weight that a server needs in the present pass. */
  private threshold: number;
  /** Greatest common divisor of the weights. */
  private step = 1;
  /** Threshold of a round's first pass. */
  private top = 0;

  constructor(dests: readonly Destination[]) {
    this.measure(dests);
    this.threshold = this.top;
  }

  schedule(dests: readonly Destination[]): number {
    if (this.top === 0) return NO_DEST;
    const last = this.last;
    let end = dests.length - 1;
    let lastPass = false;
    let restarted = false;
    for (let from = last + 1; ; from = 0) {
      const at = this.firstThatReaches(dests, from, end);
      if (at !== NO_DEST) return this.remember(at, at);
      if (lastPass && restarted) return this.remember(last, NO_DEST);
      const restarts = this.lowerThreshold();
      if (restarts && (lastPass || last === HEAD)) return this.remember(HEAD, NO_DEST);
      restarted ||= restarts;
      lastPass = this.threshold <= this.step;
      if (lastPass && restarted) end = last;
    }
  }

  copy(): Scheduler {
    const twin = new WeightedRoundRobin([]);
    twin.last = this.last;
    twin.threshold = this.threshold;
    twin.step = this.step;
    twin.top = this.top;
    return twin;
  }

  describe(): string {
    const cursor = this.last === HEAD ? 'the head of the list' : `server ${this.last + 1} of the list`;
    return `cursor: ${cursor}; weight wanted in this pass: ${this.threshold}, falling by ${this.step} from ${this.top}`;
  }

  added(dests: readonly Destination[]): void {
    this.restart(dests);
  }

  removed(dests: readonly Destination[]): void {
    this.restart(dests);
  }

  edited(dests: readonly Destination[]): void {
    this.restart(dests);
  }

  /** The threshold is kept where it still fits, so that a round need not begin at the top. */
  private restart(dests: readonly Destination[]): void {
    this.last = HEAD;
    this.measure(dests);
    if (this.threshold > this.top || this.threshold === 0) this.threshold = this.top;
    else if (this.step > 1) this.threshold = Math.floor(this.threshold / this.step) * this.step + 1;
  }

  private remember(last: number, result: number): number {
    this.last = last;
    return result;
  }

  /** @returns the first index from `from` to `end` whose server may be chosen in this pass, or NO_DEST */
  private firstThatReaches(dests: readonly Destination[], from: number, end: number): number {
    for (let at = from; at <= end; at++) {
      if (!dests[at]!.overloaded && dests[at]!.weight >= this.threshold) return at;
    }
    return NO_DEST;
  }

  /** The next pass. @returns whether it begins a new round at the top */
  private lowerThreshold(): boolean {
    this.threshold -= this.step;
    if (this.threshold > 0) return false;
    this.threshold = this.top;
    return true;
  }

  private measure(dests: readonly Destination[]): void {
    let divisor = 0;
    let highest = 0;
    for (const { weight } of dests) {
      if (weight > 0) divisor = gcd(weight, divisor);
      highest = Math.max(highest, weight);
    }
    this.step = divisor || 1;
    this.top = highest - (this.step - 1);
  }
}

export const wrr: SchedulerSpec = { name: 'wrr', create: (dests) => new WeightedRoundRobin(dests) };
