import { type Destination, overhead } from '../core/destination.ts';
import { NO_DEST, type Scheduler, type SchedulerSpec } from '../core/scheduler.ts';

/** Least connection: the least loaded server wins; of equals, the first listed (ip_vs_lc.c). */
class LeastConnection implements Scheduler {
  schedule(dests: readonly Destination[]): number {
    let best = NO_DEST;
    let least = Number.POSITIVE_INFINITY;
    for (let at = 0; at < dests.length; at++) {
      const dest = dests[at]!;
      if (dest.weight === 0 || dest.overloaded) continue;
      const load = overhead(dest);
      if (load < least) {
        least = load;
        best = at;
      }
    }
    return best;
  }
}

export const lc: SchedulerSpec = { name: 'lc', create: () => new LeastConnection() };
