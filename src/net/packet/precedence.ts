import type { Arena, Native } from '../ffi/native.ts';

// uapi linux/sched.h
const SCHED_OTHER = 0;
const SCHED_RR = 2;
const RESET_ON_FORK = 0x40000000;
const LEAST_PRIORITY = 1;

/** Packets are counted over so many milliseconds; with more of them than this the next wakes are interrupted. */
const WINDOW_MS = 10;
const MOST_PACKETS = 60;

/**
 * Lets the calling thread finish its packets before the programs run that it delivers them to. In a kernel a packet and
 * the answer to it have passed before the one who got it goes on; a thread is put off, for milliseconds, as soon as it has
 * delivered something. Under load it is left at that: more packets come together then.
 *
 * Needs CAP_SYS_NICE, and does nothing without, or for a thread whose scheduling somebody has chosen. Of one thread.
 */
export class Precedence {
  private readonly native: Native;
  /** Two struct sched_param, of the least real-time priority and of none. */
  private readonly params: Arena;
  private isPossible: boolean;
  private isTaken = false;
  private windowEnd = 0;
  private windowStart = 0;
  private isCalm = true;

  constructor(native: Native) {
    this.native = native;
    this.params = native.arena(8);
    this.params.view.setInt32(0, LEAST_PRIORITY, true);
    this.isPossible = native.syscall(native.calls.sched_getscheduler, 0) === SCHED_OTHER;
  }

  /**
   * @param now ms
   * @param packets how many there have been so far, a number that only grows
   */
  take(now: number, packets: number): void {
    if (now >= this.windowEnd) {
      this.isCalm = packets - this.windowStart <= MOST_PACKETS;
      this.windowStart = packets;
      this.windowEnd = now + WINDOW_MS;
    }
    if (!this.isPossible || !this.isCalm || packets - this.windowStart >= MOST_PACKETS) return;
    this.isTaken = this.set(SCHED_RR | RESET_ON_FORK, 0);
    this.isPossible = this.isTaken;
  }

  giveBack(): void {
    if (!this.isTaken) return;
    this.isTaken = false;
    this.set(SCHED_OTHER, 4);
  }

  /** Frees the memory. */
  close(): void {
    this.native.release(this.params);
  }

  private set(policy: number, offset: number): boolean {
    const { calls } = this.native;
    return this.native.quick(calls.sched_setscheduler, 0, policy, this.params.address + offset, 0) === 0;
  }
}
