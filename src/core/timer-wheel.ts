/** Width of one slot of the wheel in ms. */
const TICK_MS = 128;
/** Slots, a power of two; the horizon of 17 minutes covers an established connection's 900 s. */
const SLOTS = 8192;
const NONE = -1;
/** In the column of ticks: linked nowhere. */
const UNLINKED = -1;
/** Due, and to be fired when the others of its slot have been. */
const DEFERRED = -2;

/** Called with the id of a timer that is due. */
type Fire = (id: number, isLast: boolean) => unknown;

/**
 * A timer for each of `capacity` ids. A deadline is exact to the ms; slots only sort. A timer that moves away writes
 * its column alone: the wheel puts it into its right slot when it meets it early. Deadlines beyond the horizon wait
 * in the farthest slot.
 *
 *   slot heads [ id ][ id ] ...      each slot: doubly linked list over the columns next and prev
 */
export class TimerWheel {
  /** Absolute ms at which each armed id is due. */
  readonly expiresAt: Float64Array;
  private readonly heads = new Int32Array(SLOTS).fill(NONE);
  private readonly next: Int32Array;
  private readonly prev: Int32Array;
  /** Absolute tick of the slot an id is linked in. */
  private readonly tickOf: Int32Array;
  /** Nothing armed is linked before this tick. */
  private currentTick: number;
  /** Head of the list that `expireSlot` works off. */
  private pending = NONE;
  private readonly deferred: number[] = [];

  constructor(capacity: number, now: number) {
    this.expiresAt = new Float64Array(capacity);
    this.next = new Int32Array(capacity);
    this.prev = new Int32Array(capacity);
    this.tickOf = new Int32Array(capacity);
    this.currentTick = tickAt(now);
  }

  /** Arms the timer of an id that has none. */
  arm(id: number, expiresAt: number): void {
    this.expiresAt[id] = expiresAt;
    this.link(id, tickAt(expiresAt));
  }

  /** Moves an armed timer to so many seconds from `now`: whole seconds, so that no number is boxed on the way here. */
  restart(id: number, now: number, seconds: number): void {
    const expiresAt = now + seconds * 1000;
    this.expiresAt[id] = expiresAt;
    const tick = tickAt(expiresAt);
    if (tick < this.tickOf[id]!) {
      this.unlink(id);
      this.link(id, tick);
    }
  }

  cancel(id: number): void {
    this.unlink(id);
  }

  /**
   * Disarms each timer due at `now` and calls `fire` with its id; `fire` may arm it again. If `fire` answers true, it
   * is called once more for that id, with `isLast`, after the other timers of the same 128 ms.
   * Cost: the slots passed since the last call and the entries in them.
   */
  expire(now: number, fire: Fire): void {
    const lastTick = tickAt(now);
    const passed = Math.min(lastTick - this.currentTick, SLOTS - 1);
    for (let tick = lastTick - passed; tick <= lastTick; tick++) {
      this.currentTick = tick;
      this.expireSlot(tick, now, fire);
    }
  }

  /** @returns when `expire` has something to do next, at the earliest; Infinity if nothing is armed. */
  nextDeadline(): number {
    for (let tick = this.currentTick; tick < this.currentTick + SLOTS; tick++) {
      let id = this.heads[tick & (SLOTS - 1)]!;
      if (id === NONE) continue;
      let earliest = (tick + 1) * TICK_MS;
      for (; id !== NONE; id = this.next[id]!) earliest = Math.min(earliest, this.expiresAt[id]!);
      return earliest;
    }
    return Number.POSITIVE_INFINITY;
  }

  private expireSlot(tick: number, now: number, fire: Fire): void {
    let id = this.heads[tick & (SLOTS - 1)]!;
    if (id === NONE) return;
    this.heads[tick & (SLOTS - 1)] = NONE;
    // `fire` may cancel any timer, also those of this slot still ahead: they stay linked in a list of their own.
    this.prev[id] = NONE;
    this.pending = id;
    while (this.pending !== NONE) {
      id = this.pending;
      this.pending = this.next[id]!;
      if (this.pending !== NONE) this.prev[this.pending] = NONE;
      this.tickOf[id] = UNLINKED;
      const due = tickAt(this.expiresAt[id]!);
      // One that moved away takes its turn in its own slot, even if that is due too.
      if (this.expiresAt[id]! > now || due > tick) this.link(id, due);
      else if (fire(id, false) === true) this.defer(id);
    }
    if (this.deferred.length > 0) this.fireDeferred(now, fire);
  }

  private defer(id: number): void {
    this.tickOf[id] = DEFERRED;
    this.deferred.push(id);
  }

  private fireDeferred(now: number, fire: Fire): void {
    for (const id of this.deferred.splice(0)) {
      if (this.tickOf[id] !== DEFERRED) continue;
      this.tickOf[id] = UNLINKED;
      if (this.expiresAt[id]! > now) this.link(id, tickAt(this.expiresAt[id]!));
      else fire(id, true);
    }
  }

  private link(id: number, wanted: number): void {
    const tick = Math.min(Math.max(wanted, this.currentTick), this.currentTick + SLOTS - 1);
    const slot = tick & (SLOTS - 1);
    const head = this.heads[slot]!;
    this.tickOf[id] = tick;
    this.prev[id] = NONE;
    this.next[id] = head;
    if (head !== NONE) this.prev[head] = id;
    this.heads[slot] = id;
  }

  private unlink(id: number): void {
    if (this.tickOf[id]! < 0) {
      this.tickOf[id] = UNLINKED;
      return;
    }
    const before = this.prev[id]!;
    const after = this.next[id]!;
    if (after !== NONE) this.prev[after] = before;
    if (before !== NONE) this.next[before] = after;
    else if (this.pending === id) this.pending = after;
    else this.heads[this.tickOf[id]! & (SLOTS - 1)] = after;
    this.tickOf[id] = UNLINKED;
  }
}

const tickAt = (ms: number): number => Math.floor(ms / TICK_MS);
