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

  constructor(assignments: LocalityCache<Assignment>) {
    this.assignments = assignments;
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

  describe(dests: readonly Destination[], flow: Flow): string {
    const known = this.assignments.peek(flow.vaddr);
    if (!known) return 'the address has no server yet';
    const at = indexOfServer(dests, known.server);
    return at === NO_DEST ? "the address's server is gone" : `the address has server ${at + 1} of the list`;
  }

  copy(counterpart: (dest: Destination) => Destination): Scheduler {
    return new LocalityBased(
      this.assignments.copy(({ server, lastUseMs }) => ({ server: counterpart(server), lastUseMs })),
    );
  }
}

export const lblc: SchedulerSpec = {
  name: 'lblc',
  create: (_dests, { setting }: SchedulerContext) =>
    new LocalityBased(new LocalityCache(() => setting('lblc_expiration'))),
};
