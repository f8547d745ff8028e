import { LRUCache } from 'lru-cache';
import { type Address, AF_INET, sameAddress } from './address.ts';
import type { Destination } from './destination.ts';

/** Entries that are left alone until they expire. */
const MAX_ENTRIES = 16_384;
const HARD_LIMIT = MAX_ENTRIES * 1.5;
const CHECK_PERIOD_MS = 60_000;
/** Every how many-th check drops what has expired. */
const FULL_CHECK = 30;
/** Beyond MAX_ENTRIES, entries unused for this long may go. */
const SPARE_AFTER_MS = 360_000;

/** What an entry of a LocalityCache must have. */
export interface LocalityEntry {
  /** Time of the last connection to the address, ms. */
  lastUseMs: number;
}

/**
 * What lblc and lblcr remember by destination address, within the kernel's bounds (ip_vs_lblc.c, ip_vs_lblcr.c). Every
 * 60 s there is a check: each 30th drops what was unused for the expiration time; the others, if there are more than
 * 16384 entries, drop up to 4/3 of the excess, at most 8192, of those unused for 6 minutes. The kernel goes through a
 * hash table to find them and here the least recently used go, so that only the victims of the second kind can differ.
 * An entry whose time is up serves until a full check finds it, hence no time to live in the LRUCache. Checks begin
 * with the first connection, and are made up for at the next one. Beyond 24576 entries the least recently used makes
 * room at once.
 */
export class LocalityCache<E extends LocalityEntry> {
  private readonly entries = new LRUCache<number | string, E>({ max: HARD_LIMIT });
  private readonly expirationSec: () => number;
  /** When the next check is due, ms; -1 before the first connection. */
  private checkAt = -1;
  private checks = 1;

  constructor(expirationSec: () => number) {
    this.expirationSec = expirationSec;
  }

  get size(): number {
    return this.entries.size;
  }

  /** The entry of an address, used by this. */
  use(daddr: Address, now: number): E | undefined {
    this.check(now);
    const entry = this.entries.get(keyOf(daddr));
    if (entry) entry.lastUseMs = now;
    return entry;
  }

  /** The entry of an address, which does not count as used by this. */
  peek(daddr: Address): E | undefined {
    return this.entries.peek(keyOf(daddr));
  }

  add(daddr: Address, entry: E): void {
    this.entries.set(keyOf(daddr), entry);
  }

  /** A cache of the same age whose entries are copies; nothing counts as used by this. */
  copy(entry: (original: E) => E): LocalityCache<E> {
    const twin = new LocalityCache<E>(this.expirationSec);
    // The least recently used first, as they were added.
    for (const key of [...this.entries.rkeys()]) {
      const original = this.entries.peek(key);
      if (original) twin.entries.set(key, entry(original));
    }
    twin.checkAt = this.checkAt;
    twin.checks = this.checks;
    return twin;
  }

  private check(now: number): void {
    if (this.checkAt < 0) this.checkAt = now + CHECK_PERIOD_MS;
    for (; this.checkAt <= now; this.checkAt += CHECK_PERIOD_MS) {
      if (this.checks % FULL_CHECK === 0) {
        this.drop(this.entries.size, this.expirationSec() * 1000);
        this.checks = 1;
      } else if (this.entries.size <= MAX_ENTRIES) {
        this.checks++;
      } else {
        const excess = Math.floor(((this.entries.size - MAX_ENTRIES) * 4) / 3);
        this.drop(Math.min(excess, MAX_ENTRIES / 2), SPARE_AFTER_MS);
      }
    }
  }

  /** Drops up to `count` entries that are unused for `ageMs` at the time of the check. */
  private drop(count: number, ageMs: number): void {
    for (let left = count; left > 0; left--) {
      const oldest = this.entries.rvalues().next().value;
      if (!oldest || this.checkAt < oldest.lastUseMs + ageMs) return;
      this.entries.pop();
    }
  }
}

/**
 * Where a remembered server stands in the list. One that was deleted and added again counts as the same, even if its
 * old object was freed in between: in the kernel the entry's reference keeps it.
 * @returns its index, or -1
 */
export function indexOfServer(dests: readonly Destination[], server: Destination): number {
  if (server.available) return dests.indexOf(server);
  return dests.findIndex((dest) => dest.port === server.port && sameAddress(dest.addr, server.addr));
}

/** Whether a server has more active connections than its weight while another has less than half of its own. */
export function isCrowded(dest: Destination, dests: readonly Destination[]): boolean {
  return dest.active > dest.weight && dests.some((other) => other.active * 2 < other.weight);
}

const keyOf = ({ family, words }: Address): number | string => (family === AF_INET ? words[0] : words.join());
