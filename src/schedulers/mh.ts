import type { Family } from '../core/address.ts';
import { SERVICE_FLAG } from '../core/config.ts';
import { type Destination, isEligible } from '../core/destination.ts';
import { IpvsError } from '../core/errors.ts';
import type { Flow } from '../core/flow.ts';
import { gcd } from '../core/gcd.ts';
import { foldAddress, hashedPort } from '../core/hash.ts';
import { NO_DEST, type Scheduler, type SchedulerContext, type SchedulerSpec } from '../core/scheduler.ts';
import { hashWord, type SipKey } from '../core/siphash.ts';

/** A prime; also the most servers that there can be. */
const SLOTS = 4093;
/** A server takes fewer than 2 to the power of this slots in one turn. */
const TURN_BITS = 6;

const key = (word: number): SipKey => ({ k0Low: word | 0, k0High: 0, k1Low: word | 0, k1High: 0 });
const PLACE_KEY = key(2654435761);
const SKIP_KEY = key(2654446892);

/**
 * Maglev hashing: the client's address decides (with mh-port its port too), by a table of which each server has a
 * part by its weight, and which changes little when a server comes or goes (ip_vs_mh.c). Weights count as they last
 * were above 0, so that a quiesced server keeps its part; with mh-fallback others take over for it.
 */
class Maglev implements Scheduler {
  private readonly context: SchedulerContext;
  /** Indices into the service's list, NO_DEST for nobody. */
  private readonly slots = new Int32Array(SLOTS);

  /** @throws IpvsError EINVAL */
  constructor(dests: readonly Destination[], context: SchedulerContext) {
    if (dests.length > SLOTS) throw new IpvsError('EINVAL', `mh serves at most ${SLOTS} servers`);
    this.context = context;
    this.assign(dests);
  }

  schedule(dests: readonly Destination[], flow: Flow): number {
    const flags = this.context.flags();
    const word = this.wordOf(flow);
    const home = slotOf(word);
    const at = this.slots[home]!;
    if (at === NO_DEST || isEligible(dests[at]!)) return at;
    return (flags & SERVICE_FLAG.SCHED_1) === 0 ? NO_DEST : this.fallback(dests, word, home);
  }

  copy(): Scheduler {
    const twin = new Maglev([], this.context);
    twin.slots.set(this.slots);
    return twin;
  }

  describe(dests: readonly Destination[], flow: Flow): string {
    const home = slotOf(this.wordOf(flow));
    const owner = this.slots[home]!;
    const whose = owner === NO_DEST || !dests[owner] ? 'nobody' : `server ${owner + 1} of the list`;
    return `slot ${home} of ${SLOTS}: ${whose}`;
  }

  added(dests: readonly Destination[]): void {
    if (dests.length <= SLOTS) this.assign(dests);
    else this.renumber((at) => at + 1);
  }

  removed(dests: readonly Destination[], gone: number): void {
    if (dests.length <= SLOTS) this.assign(dests);
    else this.renumber((at) => (at === gone ? NO_DEST : at - (at > gone ? 1 : 0)));
  }

  edited(dests: readonly Destination[]): void {
    if (dests.length <= SLOTS) this.assign(dests);
  }

  private wordOf(flow: Flow): number {
    return hashedPort(flow, this.context.flags()) + foldAddress(flow.caddr, this.context.family);
  }

  /** Each step looks at the slot of another hash, not at the next slot. */
  private fallback(dests: readonly Destination[], word: number, home: number): number {
    for (let step = 0; step < SLOTS; step++) {
      const at = this.slots[slotOf(word + ((home + step) % SLOTS))]!;
      if (at === NO_DEST || isEligible(dests[at]!)) return at;
    }
    return NO_DEST;
  }

  /** With more servers than it can have, the table stays as it was; only the list has shifted. */
  private renumber(change: (at: number) => number): void {
    for (let i = 0; i < SLOTS; i++) {
      const at = this.slots[i]!;
      if (at !== NO_DEST) this.slots[i] = change(at);
    }
  }

  private assign(dests: readonly Destination[]): void {
    fillMaglevTable(this.slots, dests, this.context.family);
  }
}

/** What decides which slots of the table a server has. */
export type SlotTaker = Pick<Destination, 'addr' | 'port' | 'lastWeight'>;

/**
 * Fills the table: servers take slots in turn, each going through the table in its own order.
 * @param slots as many as a prime number, which is more than there are servers; gets indices into `dests`, NO_DEST for nobody
 */
export function fillMaglevTable(slots: Int32Array, dests: readonly SlotTaker[], family: Family): void {
  slots.fill(NO_DEST);
  const size = slots.length;
  const turns = slotsPerTurn(dests);
  if (!turns.some((count) => count > 0)) return;
  const next = dests.map((dest) => placeOf(wordOf(dest, family), size));
  const skips = dests.map((dest) => skipOf(wordOf(dest, family), size));
  let free = size;
  for (let at = 0; free > 0; at = (at + 1) % dests.length) {
    for (let taken = 0; taken < turns[at]! && free > 0; taken++, free--) {
      while (slots[next[at]!] !== NO_DEST) next[at] = (next[at]! + skips[at]!) % size;
      slots[next[at]!] = at;
    }
  }
}

/** How many slots each server takes when it is its turn: by weight, reduced until the highest is small. */
function slotsPerTurn(dests: readonly SlotTaker[]): number[] {
  let divisor = 0;
  let highest = 0;
  for (const { lastWeight } of dests) {
    divisor = gcd(lastWeight, divisor);
    highest = Math.max(highest, lastWeight);
  }
  if (divisor === 0) return dests.map(() => 0);
  const shift = Math.max(0, 32 - Math.clz32(highest / divisor) - TURN_BITS);
  return dests.map(({ lastWeight }) => (lastWeight === 0 ? 0 : Math.max(1, (lastWeight / divisor) >> shift)));
}

const wordOf = (dest: SlotTaker, family: Family): number => dest.port + foldAddress(dest.addr, family);
const placeOf = (word: number, size: number): number => (hashWord(word | 0, PLACE_KEY) >>> 0) % size;
const skipOf = (word: number, size: number): number =>
  ((hashWord(word | 0, SKIP_KEY) >>> 0) % (size - 1)) + 1;
const slotOf = (word: number): number => placeOf(word, SLOTS);

export const mh: SchedulerSpec = { name: 'mh', create: (dests, context) => new Maglev(dests, context) };
