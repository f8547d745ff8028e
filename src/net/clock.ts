import { performance } from 'node:perf_hooks';

/** A deadline that comes up while the timer sleeps is at most this late, in ms. */
const LONGEST_SLEEP_MS = 1000;

/** What the clock drives. Times in ms of `monotonicNow`. */
export interface Timed {
  /** Infinity: nothing to wait for. */
  nextDeadline(): number;
  expire(now: number): void;
}

/** Milliseconds of a clock that never jumps. */
export const monotonicNow = (): number => performance.now();

/** Calls `expire` when deadlines are due, on one timer that does not keep the process alive. */
export class CoreClock {
  private readonly timed: Timed;
  private readonly now: () => number;
  private timer: NodeJS.Timeout | undefined;
  /** When the timer goes off. */
  private wakeAt = Infinity;

  constructor(timed: Timed, now: () => number = monotonicNow) {
    this.timed = timed;
    this.now = now;
  }

  start(): void {
    if (this.timer === undefined) this.arm();
  }

  /** To be called when a deadline may have come nearer than it was. */
  hurry(): void {
    if (this.timer === undefined || this.timed.nextDeadline() >= this.wakeAt) return;
    clearTimeout(this.timer);
    this.arm();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private arm(): void {
    const now = this.now();
    const aheadMs = this.timed.nextDeadline() - now;
    const sleepMs = Math.min(LONGEST_SLEEP_MS, Math.max(1, Math.ceil(aheadMs)));
    this.wakeAt = now + sleepMs;
    this.timer = setTimeout(() => {
      this.timed.expire(this.now());
      if (this.timer !== undefined) this.arm();
    }, sleepMs);
    this.timer.unref();
  }
}
