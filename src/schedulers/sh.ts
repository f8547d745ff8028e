import { SERVICE_FLAG } from '../core/config.ts';
import { type Destination, isEligible } from '../core/destination.ts';
import type { Flow } from '../core/flow.ts';
import { foldAddress, goldenHash, hashedPort } from '../core/hash.ts';
import { NO_DEST, type Scheduler, type SchedulerContext, type SchedulerSpec } from '../core/scheduler.ts';

const BUCKET_BITS = 8;
const BUCKETS = 1 << BUCKET_BITS;

/**
 * Source hashing: the client's address decides (with sh-port its port too), by a table in which each server in turn
 * has as many buckets as its weight, at least one (ip_vs_sh.c). With sh-fallback others take over for a server that
 * cannot be chosen.
 */
class SourceHashing implements Scheduler {
  private readonly context: SchedulerContext;
  /** Indices into the service's list, NO_DEST while that is empty. */
  private readonly buckets = new Int32Array(BUCKETS);

  constructor(dests: readonly Destination[], context: SchedulerContext) {
    this.context = context;
    this.assign(dests);
  }

  schedule(dests: readonly Destination[], flow: Flow): number {
    const flags = this.context.flags();
    const home = this.bucketOf(flow);
    const at = this.buckets[home]!;
    if (at === NO_DEST || isEligible(dests[at]!)) return at;
    return (flags & SERVICE_FLAG.SCHED_1) === 0 ? NO_DEST : this.fallback(dests, home);
  }

  copy(): Scheduler {
    const twin = new SourceHashing([], this.context);
    twin.buckets.set(this.buckets);
    return twin;
  }

  describe(dests: readonly Destination[], flow: Flow): string {
    const home = this.bucketOf(flow);
    const owner = this.buckets[home]!;
    const whose = owner === NO_DEST || !dests[owner] ? 'nobody' : `server ${owner + 1} of the list`;
    return `bucket ${home} of ${BUCKETS}: ${whose}`;
  }

  added(dests: readonly Destination[]): void {
    this.assign(dests);
  }

  removed(dests: readonly Destination[]): void {
    this.assign(dests);
  }

  edited(dests: readonly Destination[]): void {
    this.assign(dests);
  }

  private bucketOf(flow: Flow): number {
    const key = hashedPort(flow, this.context.flags()) + foldAddress(flow.caddr, this.context.family);
    return goldenHash(key, BUCKET_BITS);
  }

  /** The kernel counts `home` twice: the search begins at the bucket of double its number. */
  private fallback(dests: readonly Destination[], home: number): number {
    for (let step = 0; step < BUCKETS; step++) {
      const at = this.buckets[(home + home + step) % BUCKETS]!;
      if (isEligible(dests[at]!)) return at;
    }
    return NO_DEST;
  }

  private assign(dests: readonly Destination[]): void {
    let at = 0;
    let given = 0;
    for (let i = 0; i < BUCKETS; i++) {
      this.buckets[i] = dests.length === 0 ? NO_DEST : at;
      given++;
      if (dests.length > 0 && given >= dests[at]!.weight) {
        at = (at + 1) % dests.length;
        given = 0;
      }
    }
  }
}

export const sh: SchedulerSpec = {
  name: 'sh',
  create: (dests, context) => new SourceHashing(dests, context),
};
