import type { Family } from '../core/address.ts';
import { type Destination, isEligible } from '../core/destination.ts';
import type { Flow } from '../core/flow.ts';
import { foldAddress, goldenHash } from '../core/hash.ts';
import { NO_DEST, type Scheduler, type SchedulerContext, type SchedulerSpec } from '../core/scheduler.ts';

const BUCKET_BITS = 8;
const BUCKETS = 1 << BUCKET_BITS;

/**
 * Destination hashing: the address that the client wanted decides, by a table that gives each server in turn one
 * bucket, whatever its weight (ip_vs_dh.c). If the server cannot be chosen, nobody takes its place.
 */
class DestinationHashing implements Scheduler {
  private readonly family: Family;
  /** Indices into the service's list, NO_DEST while that is empty. */
  private readonly buckets = new Int32Array(BUCKETS);

  constructor(dests: readonly Destination[], { family }: Pick<SchedulerContext, 'family'>) {
    this.family = family;
    this.assign(dests);
  }

  schedule(dests: readonly Destination[], flow: Flow): number {
    const at = this.buckets[goldenHash(foldAddress(flow.vaddr, this.family), BUCKET_BITS)]!;
    return at !== NO_DEST && isEligible(dests[at]!) ? at : NO_DEST;
  }

  describe(dests: readonly Destination[], flow: Flow): string {
    const home = goldenHash(foldAddress(flow.vaddr, this.family), BUCKET_BITS);
    const owner = this.buckets[home]!;
    const whose = owner === NO_DEST || !dests[owner] ? 'nobody' : `server ${owner + 1} of the list`;
    return `bucket ${home} of ${BUCKETS}: ${whose}`;
  }

  copy(): Scheduler {
    const twin = new DestinationHashing([], { family: this.family });
    twin.buckets.set(this.buckets);
    return twin;
  }

  added(dests: readonly Destination[]): void {
    this.assign(dests);
  }

  removed(dests: readonly Destination[]): void {
    this.assign(dests);
  }

  private assign(dests: readonly Destination[]): void {
    for (let i = 0; i < BUCKETS; i++) this.buckets[i] = dests.length === 0 ? NO_DEST : i % dests.length;
  }
}

export const dh: SchedulerSpec = {
  name: 'dh',
  create: (dests, context) => new DestinationHashing(dests, context),
};
