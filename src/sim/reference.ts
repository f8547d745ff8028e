import type { Destination } from '../core/destination.ts';
import { isEligible } from '../core/destination.ts';
import { NO_DEST, type Scheduler, type SchedulerContext, type SchedulerSpec } from '../core/scheduler.ts';

/**
 * Chooses the one with the fewest active connections of `choices` servers, drawn uniformly and with replacement; of
 * equals the first drawn. Weights count only as 0 or not. One choice is a random split.
 */
class UniformChoices implements Scheduler {
  private readonly choices: number;
  private readonly random: () => number;
  private readonly eligible: number[] = [];

  constructor(choices: number, { random }: SchedulerContext) {
    this.choices = choices;
    this.random = random;
  }

  schedule(dests: readonly Destination[]): number {
    const { eligible } = this;
    eligible.length = 0;
    for (let at = 0; at < dests.length; at++) if (isEligible(dests[at]!)) eligible.push(at);
    if (eligible.length === 0) return NO_DEST;
    let best = eligible[Math.floor(this.random() * eligible.length)]!;
    for (let choice = 1; choice < this.choices; choice++) {
      const other = eligible[Math.floor(this.random() * eligible.length)]!;
      if (dests[other]!.active < dests[best]!.active) best = other;
    }
    return best;
  }
}

/** Joins the shortest queue: the fewest active connections of all; of equals each is as likely as the others. */
class ShortestQueue implements Scheduler {
  private readonly random: () => number;

  constructor({ random }: SchedulerContext) {
    this.random = random;
  }

  schedule(dests: readonly Destination[]): number {
    let best = NO_DEST;
    let equals = 0;
    for (let at = 0; at < dests.length; at++) {
      const dest = dests[at]!;
      if (!isEligible(dest)) continue;
      if (best === NO_DEST || dest.active < dests[best]!.active) {
        best = at;
        equals = 1;
      } else if (dest.active === dests[best]!.active && this.random() * ++equals < 1) {
        best = at;
      }
    }
    return best;
  }
}

/** Schedulers that no kernel has, to hold the others against theory: lab-random, lab-two, lab-three, lab-jsq. */
export const REFERENCE_SCHEDULERS: readonly SchedulerSpec[] = [
  { name: 'lab-random', create: (_dests, context) => new UniformChoices(1, context) },
  { name: 'lab-two', create: (_dests, context) => new UniformChoices(2, context) },
  { name: 'lab-three', create: (_dests, context) => new UniformChoices(3, context) },
  { name: 'lab-jsq', create: (_dests, context) => new ShortestQueue(context) },
];
