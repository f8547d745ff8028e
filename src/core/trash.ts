import { sameAddress } from './address.ts';
import type { DestKey } from './config.ts';
import type { Destination } from './destination.ts';
import type { Service } from './service.ts';

const PERIOD_MS = 60_000;
const IDLE_MS = 120_000;

/**
 * Deleted destinations: connection entries may still refer to them, and a server added again gets its old counters
 * back (ip_vs_trash_get_dest, ip_vs_dest_trash_expire).
 */
export class Trash {
  private readonly dests: Destination[] = [];
  /** When the next run is due, ms; Infinity while the trash is empty. */
  private runAt = Number.POSITIVE_INFINITY;

  put(dest: Destination, now: number): void {
    dest.idleSince = -1;
    if (this.dests.length === 0) this.runAt = now + PERIOD_MS;
    this.dests.push(dest);
  }

  /** Takes out the destination that an addition of `key` to `service` revives, if there is one. */
  take(service: Service, key: DestKey): Destination | undefined {
    const at = this.dests.findIndex(
      (dest) => dest.port === key.port && isOf(dest, service) && sameAddress(dest.addr, key.addr),
    );
    return at < 0 ? undefined : this.dests.splice(at, 1)[0];
  }

  /** Deleted destinations that connections still refer to. */
  *referenced(): Generator<Destination> {
    for (const dest of this.dests) if (dest.isReferenced()) yield dest;
  }

  /** Frees what has been idle long enough, if a run is due. @returns the destinations that are gone */
  run(now: number): Destination[] {
    if (now < this.runAt) return [];
    const freed: Destination[] = [];
    for (let i = this.dests.length - 1; i >= 0; i--) {
      const dest = this.dests[i]!;
      if (dest.isReferenced()) continue;
      if (dest.idleSince < 0) dest.idleSince = now;
      else if (now >= dest.idleSince + IDLE_MS) freed.push(...this.dests.splice(i, 1));
    }
    this.runAt = this.dests.length > 0 ? now + PERIOD_MS : Number.POSITIVE_INFINITY;
    return freed;
  }

  nextDeadline(): number {
    return this.runAt;
  }
}

function isOf(dest: Destination, service: Service): boolean {
  const old = dest.service;
  if (old.fwmark !== service.fwmark || old.protocol !== service.protocol) return false;
  return service.fwmark !== 0 || (old.port === service.port && sameAddress(old.addr, service.addr));
}
