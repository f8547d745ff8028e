import type { Director } from '../core/director.ts';
import type { SyncIntake } from '../core/sync-intake.ts';
import type { LogLimit } from './log-limit.ts';
import type { SyncCounters } from './sync-counters.ts';

/** What both daemons work with. */
export interface SyncParts {
  readonly director: Director;
  readonly intake: SyncIntake;
  readonly counters: SyncCounters;
  /** For what others cause, so that nobody on the segment can fill the log. */
  readonly problems: LogLimit;
  /** Milliseconds of the core's clock. */
  readonly now: () => number;
}
