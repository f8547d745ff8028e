import { type EntryRecords, RECORD_WORDS, WORD } from './entry-records.ts';

// Copies, quicker to read; see entry-records.ts.
const WORDS = RECORD_WORDS;
const { TICK } = WORD;

/** Width of one slot of the wheel in ms. */
const TICK_MS = 128;
/** Slots, a power of two; the horizon of 17 minutes covers an established connection's 900 s. */
const SLOTS = 8192;
const NONE = -1;
/** Where a record has its deadline, in float64. */
const TIMES = RECORD_WORDS / 2;
const EXPIRES_AT = WORD.EXPIRES_AT / 2;
/** In place of a tick: linked nowhere. */
const UNLINKED = -1;
/** Due, and to be fired when the others of its slot have been. */
const DEFERRED = -2;

/** Called with the id of a timer that is due. */
type Fire = (id: number, isLast: boolean) => unknown;

/**
 * A timer for each record. A deadline is exact to the ms; slots only sort. A timer that moves away writes its deadline
 * alone: the wheel puts it into its right slot when it meets it early. Deadlines beyond the horizon wait in the
 * farthest slot.
 *
 *   slot heads [ id ][ id ] ...           each slot: doubly linked list through
 *   links      [ next prev ][ next prev ] ...
 */
export class TimerWheel {
  private readonly heads = new Int32Array(SLOTS).fill(NONE);
  private readonly links: Int32Array;
  /** Of the records: word TICK is the absolute tick of the slot that an id is linked in. */
  private readonly words: Int32Array;
  /** Of the records: absolute ms at which each armed id is due. */
  private readonly times: Float64Array;
  /** Nothing armed is linked before this tick. */
  private currentTick: number;
  /** Head of the list that `expireSlot` works off. */
  private pending = NONE;
  private readonly deferred: number[] = [];

  constructor(records: EntryRecords, now: number) {
    this.words = records.words;
    this.times = new Float64Array(records.words.buffer);
    this.links = new Int32Array(records.capacity * 2);
    this.currentTick = tickAt(now);
  }

  /** Absolute ms at which the timer of an id is due. */
  expiresAt(id: number): number {
    return this.times[id * TIMES + EXPIRES_AT]!;
  }

  /** Arms the timer of an id that has none. */
  arm(id: number, expiresAt: number): void {
    this.times[id * TIMES + EXPIRES_AT] = expiresAt;
    this.link(id, tickAt(expiresAt));
  }

  /** Moves an armed timer to so many seconds from `now`: whole seconds, so that no number is boxed on the way here. */
  restart(id: number, now: number, seconds: number): void {
    const at = id * TIMES + EXPIRES_AT;
    const expiresAt = now + seconds * 1000;
    const isEarlier = expiresAt < this.times[at]!;
    this.times[at] = expiresAt;
    if (isEarlier) this.moveAhead(id, tickAt(expiresAt));
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
      for (; id !== NONE; id = this.links[id * 2]!) earliest = Math.min(earliest, this.expiresAt(id));
      return earliest;
    }
    return Number.POSITIVE_INFINITY;
  }

  private expireSlot(tick: number, now: number, fire: Fire): void {
    const { links } = this;
    let id = this.heads[tick & (SLOTS - 1)]!;
    if (id === NONE) return;
    this.heads[tick & (SLOTS - 1)] = NONE;
    // `fire` may cancel any timer, also those of this slot still ahead: they stay linked in a list of their own.
    links[id * 2 + 1] = NONE;
    this.pending = id;
    while (this.pending !== NONE) {
      id = this.pending;
      this.pending = links[id * 2]!;
      if (this.pending !== NONE) links[this.pending * 2 + 1] = NONE;
      this.setTick(id, UNLINKED);
      const expiresAt = this.expiresAt(id);
      const due = tickAt(expiresAt);
      // One that moved away takes its turn in its own slot, even if that is due too.
      if (expiresAt > now || due > tick) this.link(id, due);
      else if (fire(id, false) === true) this.defer(id);
    }
    if (this.deferred.length > 0) this.fireDeferred(now, fire);
  }

  private defer(id: number): void {
    this.setTick(id, DEFERRED);
    this.deferred.push(id);
  }

  private fireDeferred(now: number, fire: Fire): void {
    for (const id of this.deferred.splice(0)) {
      if (this.tick(id) !== DEFERRED) continue;
      this.setTick(id, UNLINKED);
      if (this.expiresAt(id) > now) this.link(id, tickAt(this.expiresAt(id)));
      else fire(id, true);
    }
  }

  /** A linked timer is never due before its slot: only an earlier deadline may have to change it. */
  private moveAhead(id: number, tick: number): void {
    if (tick >= this.tick(id)) return;
    this.unlink(id);
    this.link(id, tick);
  }

  private link(id: number, wanted: number): void {
    const { heads, links } = this;
    const tick = Math.min(Math.max(wanted, this.currentTick), this.currentTick + SLOTS - 1);
    const slot = tick & (SLOTS - 1);
    const head = heads[slot]!;
    this.setTick(id, tick);
    links[id * 2] = head;
    links[id * 2 + 1] = NONE;
    if (head !== NONE) links[head * 2 + 1] = id;
    heads[slot] = id;
  }

  private unlink(id: number): void {
    const { links } = this;
    const tick = this.tick(id);
    this.setTick(id, UNLINKED);
    if (tick < 0) return;
    const after = links[id * 2]!;
    const before = links[id * 2 + 1]!;
    if (after !== NONE) links[after * 2 + 1] = before;
    if (before !== NONE) links[before * 2] = after;
    else if (this.pending === id) this.pending = after;
    else this.heads[tick & (SLOTS - 1)] = after;
  }

  private tick(id: number): number {
    return this.words[id * WORDS + TICK]!;
  }

  private setTick(id: number, tick: number): void {
    this.words[id * WORDS + TICK] = tick;
  }
}

const tickAt = (ms: number): number => Math.floor(ms / TICK_MS);
