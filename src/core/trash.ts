import type { DestKey, ServiceKey } from './config.ts';
import type { Destination } from './destination.ts';
import { destKeyText, type Service, serviceKeyText } from './service.ts';

const PERIOD_MS = 60_000;
const IDLE_MS = 120_000;

/**
 * Deleted destinations: connection entries may still refer to them, and a server added again gets its old counters
 * back (ip_vs_trash_get_dest, ip_vs_dest_trash_expire).
 */
export class Trash {
  /** The oldest first. */
  private readonly dests = new Set<Destination>();
  /** By what an addition finds them by, each the oldest first; so that it takes no longer with many of them. */
  private readonly byKey = new Map<string, Destination[]>();
  /** When the next run is due, ms; Infinity while the trash is empty. */
  private runAt = Number.POSITIVE_INFINITY;

  put(dest: Destination, now: number): void {
    dest.idleSince = -1;
    if (this.dests.size === 0) this.runAt = now + PERIOD_MS;
    this.dests.add(dest);
    const key = keyText(dest.service, dest);
    const others = this.byKey.get(key);
    if (others === undefined) this.byKey.set(key, [dest]);
    else others.push(dest);
  }

  /** Takes out the destination that an addition of `key` to `service` revives, if there is one. */
  take(service: Service, key: DestKey): Destination | undefined {
    const dest = this.byKey.get(keyText(service, key))?.[0];
    if (dest !== undefined) this.remove(dest);
    return dest;
  }

  /** Deleted destinations that connections still refer to. */
  *referenced(): Generator<Destination> {
    for (const dest of this.dests) if (dest.isReferenced()) yield dest;
  }

  /** Frees what has been idle long enough, if a run is due. @returns the destinations that are gone */
  run(now: number): Destination[] {
    if (now < this.runAt) return [];
    const freed: Destination[] = [];
    for (const dest of [...this.dests].reverse()) {
      if (dest.isReferenced()) continue;
      if (dest.idleSince < 0) dest.idleSince = now;
      else if (now >= dest.idleSince + IDLE_MS) {
        this.remove(dest);
        freed.push(dest);
      }
    }
    this.runAt = this.dests.size > 0 ? now + PERIOD_MS : Number.POSITIVE_INFINITY;
    return freed;
  }

  nextDeadline(): number {
    return this.runAt;
  }

  private remove(dest: Destination): void {
    this.dests.delete(dest);
    const key = keyText(dest.service, dest);
    const others = this.byKey.get(key)!;
    if (others.length > 1) others.splice(others.indexOf(dest), 1);
    else this.byKey.delete(key);
  }
}

const keyText = (service: ServiceKey, dest: DestKey): string =>
  `${serviceKeyText(service)} ${destKeyText(dest)}`;
