import { type Destination, isEligible } from '../core/destination.ts';
import { expectedLoad, leastLoaded } from '../core/least-loaded.ts';
import type { Scheduler, SchedulerSpec } from '../core/scheduler.ts';

/** Never queue: the first server without active connections, if there is one; else as sed (ip_vs_nq.c). */
class NeverQueue implements Scheduler {
  schedule(dests: readonly Destination[]): number {
    for (let at = 0; at < dests.length; at++) {
      const dest = dests[at]!;
      if (dest.active === 0 && isEligible(dest)) return at;
    }
    return leastLoaded(dests, expectedLoad);
  }
}

export const nq: SchedulerSpec = { name: 'nq', create: () => new NeverQueue() };
