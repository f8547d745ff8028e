import { type Destination, overhead } from '../core/destination.ts';
import type { Flow } from '../core/flow.ts';
import { isLighter, leastLoaded } from '../core/least-loaded.ts';
import { indexOfServer, isCrowded, LocalityCache, type LocalityEntry } from '../core/locality.ts';
import { NO_DEST, type Scheduler, type SchedulerContext, type SchedulerSpec } from '../core/scheduler.ts';

interface Assignment extends LocalityEntry {
  /** Newest first. */
  readonly servers: Destination[];
  /** When `servers` last changed, ms. */
  changedMs: number;
}

/**
 * Locality-based least connection with replication: connections to one address go to a set of servers, which grows by
 * wlc's choice when its least loaded member is crowded, and loses its most loaded one when it was stable for the
 * expiration time (ip_vs_lblcr.c).
 */
class LocalityBasedReplication implements Scheduler {
  private readonly assignments: LocalityCache<Assignment>;
  private readonly expirationSec: () => number;

  /** @param expirationSec how long a set must have been stable to lose a member, and an assignment unused to go */
  constructor(expirationSec: () => number, assignments = new LocalityCache<Assignment>(expirationSec)) {
    this.expirationSec = expirationSec;
    this.assignments = assignments;
  }

  schedule(dests: readonly Destination[], flow: Flow, now: number): number {
    const known = this.assignments.use(flow.vaddr, now);
    if (known) {
      const at = leastLoadedMember(known, dests);
      if (known.servers.length > 1 && now > known.changedMs + this.expirationSec() * 1000) shrink(known, now);
      if (at !== NO_DEST && !isCrowded(dests[at]!, dests)) return at;
    }
    const chosen = leastLoaded(dests, overhead);
    if (chosen === NO_DEST) return NO_DEST;
    const server = dests[chosen]!;
    if (!known) this.assignments.add(flow.vaddr, { servers: [server], changedMs: now, lastUseMs: now });
    else if (!known.servers.includes(server)) {
      known.servers.unshift(server);
      known.changedMs = now;
    }
    return chosen;
  }

  describe(dests: readonly Destination[], flow: Flow): string {
    const known = this.assignments.peek(flow.vaddr);
    if (!known) return 'the address has no servers yet';
    const members = known.servers.map((server) => indexOfServer(dests, server) + 1).filter((at) => at > 0);
    return `servers of the address: ${members.join(', ') || 'none'} of the list`;
  }

  copy(counterpart: (dest: Destination) => Destination): Scheduler {
    const copied = this.assignments.copy(({ servers, changedMs, lastUseMs }) => {
      return { servers: servers.map(counterpart), changedMs, lastUseMs };
    });
    return new LocalityBasedReplication(this.expirationSec, copied);
  }
}

/** @returns the index in `dests` of the set's best eligible member, or NO_DEST */
function leastLoadedMember({ servers }: Assignment, dests: readonly Destination[]): number {
  const present: Destination[] = [];
  for (let i = 0; i < servers.length; i++) {
    const at = indexOfServer(dests, servers[i]!);
    if (at === NO_DEST) continue;
    servers[i] = dests[at]!;
    present.push(dests[at]!);
  }
  const best = leastLoaded(present, overhead);
  return best === NO_DEST ? NO_DEST : dests.indexOf(present[best]!);
}

/** Takes the member with the most load for its weight out of the set; quiesced ones stay. */
function shrink(known: Assignment, now: number): void {
  let most: Destination | undefined;
  for (const server of known.servers) {
    if (server.weight > 0 && (!most || isHeavier(server, most))) most = server;
  }
  if (!most) return;
  known.servers.splice(known.servers.indexOf(most), 1);
  known.changedMs = now;
}

const isHeavier = (a: Destination, b: Destination): boolean =>
  isLighter(overhead(b), b.weight, overhead(a), a.weight);

export const lblcr: SchedulerSpec = {
  name: 'lblcr',
  create: (_dests, { setting }: SchedulerContext) =>
    new LocalityBasedReplication(() => setting('lblcr_expiration')),
};
