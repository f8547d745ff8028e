import type { Destination } from '../core/destination.ts';
import { NO_DEST, type Scheduler, type SchedulerSpec } from '../core/scheduler.ts';

/** Failover: the highest weight takes all, while it is not overloaded; of equals, the first listed (ip_vs_fo.c). */
class Failover implements Scheduler {
  schedule(dests: readonly Destination[]): number {
    let best = NO_DEST;
    let highest = 0;
    for (let at = 0; at < dests.length; at++) {
      const dest = dests[at]!;
      if (dest.overloaded || dest.weight <= highest) continue;
      best = at;
      highest = dest.weight;
    }
    return best;
  }
}

export const fo: SchedulerSpec = { name: 'fo', create: () => new Failover() };
