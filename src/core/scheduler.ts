import type { Family } from './address.ts';
import type { Destination } from './destination.ts';
import type { Flow } from './flow.ts';
import type { SettingName } from './settings.ts';

/** `schedule` answers this when no destination may be chosen. */
export const NO_DEST = -1;

/**
 * Chooses a destination for a new connection. `dests` is always the service's list, newest first; hooks are called
 * after the list changed. State is kept by index into that list or by Destination.
 */
export interface Scheduler {
  /** @returns an index into `dests`, or NO_DEST. */
  schedule(dests: readonly Destination[], flow: Flow, now: number): number;
  /** What its next choice depends on besides the destinations, for people; changes nothing. */
  describe?(dests: readonly Destination[], flow: Flow): string;
  /**
   * One with the same state, which goes on by itself; schedulers without state of their own need none.
   * @param counterpart of each destination, for schedulers that hold some
   */
  copy?(counterpart: (dest: Destination) => Destination): Scheduler;
  /** The destination at index 0 is new. */
  added?(dests: readonly Destination[]): void;
  /** The destination that stood at index `at` is gone. */
  removed?(dests: readonly Destination[], at: number): void;
  /** The destination at index `at` was edited, perhaps without any change. */
  edited?(dests: readonly Destination[], at: number): void;
}

/** What a scheduler may ask of the service it works for. */
export interface SchedulerContext {
  readonly family: Family;
  /** The service's flags word, as it is at the time of the call. */
  readonly flags: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** The present value of one of the director's settings. */
  readonly setting: (name: SettingName) => number;
}

export interface SchedulerSpec {
  readonly name: string;
  /** `dests`: the list at the time of binding, newest first. @throws IpvsError if it cannot serve that list */
  create(dests: readonly Destination[], context: SchedulerContext): Scheduler;
}
