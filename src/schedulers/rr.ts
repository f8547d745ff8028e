import type { Destination } from '../core/destination.ts';
import { NO_DEST, type Scheduler, type SchedulerSpec } from '../core/scheduler.ts';

/** Before the first destination of the list. */
const HEAD = -1;

/** Round robin: each server with a weight in turn; the weight's size does not matter (ip_vs_rr.c). */
class RoundRobin implements Scheduler {
  /** Index of the server chosen last. */
  private last = HEAD;

  schedule(dests: readonly Destination[]): number {
    const count = dests.length;
    for (let step = 1; step <= count; step++) {
      const at = (this.last + step) % count;
      const dest = dests[at]!;
      if (dest.weight > 0 && !dest.overloaded) {
        this.last = at;
        return at;
      }
    }
    return NO_DEST;
  }

  copy(): Scheduler {
    const twin = new RoundRobin();
    twin.last = this.last;
    return twin;
  }

  describe(): string {
    return this.last === HEAD
      ? 'cursor: at the head of the list'
      : `cursor: server ${this.last + 1} of the list`;
  }

  added(): void {
    if (this.last !== HEAD) this.last++;
  }

  /** The choice after the removed server's stays next. */
  removed(_dests: readonly Destination[], at: number): void {
    if (at <= this.last) this.last--;
  }
}

export const rr: SchedulerSpec = { name: 'rr', create: () => new RoundRobin() };
