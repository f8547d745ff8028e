import type { Destination } from '../core/destination.ts';
import { NO_DEST, type Scheduler, type SchedulerSpec } from '../core/scheduler.ts';

/**
 * Overflow: the highest weight takes connections until its active ones exceed the weight, then the next; of equals,
 * the first listed (ip_vs_ovf.c). A server so takes one active connection more than its weight says.
 */
class Overflow implements Scheduler {
  schedule(dests: readonly Destination[]): number {
    let best = NO_DEST;
    let highest = 0;
    for (let at = 0; at < dests.length; at++) {
      const dest = dests[at]!;
      if (dest.overloaded || dest.active > dest.weight || dest.weight <= highest) continue;
      best = at;
      highest = dest.weight;
    }
    return best;
  }
}

export const ovf: SchedulerSpec = { name: 'ovf', create: () => new Overflow() };
