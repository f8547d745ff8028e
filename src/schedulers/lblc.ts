import { type Destination, overhead } from '../core/destination.ts';
import type { Flow } from '../core/flow.ts';
import { leastLoaded } from '../core/least-loaded.ts';
import { indexOfServer, isCrowded, LocalityCache, type LocalityEntry } from '../core/locality.ts';
import { NO_DEST, type Scheduler, type SchedulerContext, type SchedulerSpec } from '../core/scheduler.ts';

interface Assignment extends LocalityEntry {
  server: Destination;
}

/**
 * Locality-based least connection: all connections to one address go to one server, first chosen as wlc does, until it
 * is quiesced, gone or crowded (ip_vs_lblc.c). The upper threshold counts only where wlc chooses.
 */
class LocalityBased implements Scheduler {
  private readonly assignments: LocalityCache<Assignment>;

  constructor({ setting }: SchedulerContext) {
    this.assignments = new LocalityCache(() => setting('lblc_expiration'));
  }

  schedule(dests: readonly Destination[], flow: Flow, now: number): number {
    const known = this.assignments.use(flow.vaddr, now);
    const at = known ? indexOfServer(dests, known.server) : NO_DEST;
    if (at !== NO_DEST && dests[at]!.weight > 0 && !isCrowded(dests[at]!, dests)) return at;
    const chosen = leastLoaded(dests, overhead);
    if (chosen === NO_DEST) return NO_DEST;
    if (known) known.server = dests[chosen]!;
    else this.assignments.add(flow.vaddr, { server: dests[chosen]!, lastUseMs: now });
    return chosen;
  }
}

export const lblc: SchedulerSpec = { name: 'lblc', create: (_dests, context) => new LocalityBased(context) };
