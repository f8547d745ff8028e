import { type Destination, overhead } from '../core/destination.ts';
import { leastLoaded } from '../core/least-loaded.ts';
import type { Scheduler, SchedulerSpec } from '../core/scheduler.ts';

/** Weighted least connection: the least load for its weight wins; of equals, the first listed (ip_vs_wlc.c). */
class WeightedLeastConnection implements Scheduler {
  schedule(dests: readonly Destination[]): number {
    return leastLoaded(dests, overhead);
  }
}

export const wlc: SchedulerSpec = { name: 'wlc', create: () => new WeightedLeastConnection() };
