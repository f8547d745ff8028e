import type { Destination } from '../core/destination.ts';
import { expectedLoad, leastLoaded } from '../core/least-loaded.ts';
import type { Scheduler, SchedulerSpec } from '../core/scheduler.ts';

/** Shortest expected delay: as wlc, but only active connections count, the new one among them (ip_vs_sed.c). */
class ShortestExpectedDelay implements Scheduler {
  schedule(dests: readonly Destination[]): number {
    return leastLoaded(dests, expectedLoad);
  }
}

export const sed: SchedulerSpec = { name: 'sed', create: () => new ShortestExpectedDelay() };
