import { type Destination, isEligible, overhead } from '../core/destination.ts';
import { NO_DEST, type Scheduler, type SchedulerContext, type SchedulerSpec } from '../core/scheduler.ts';

/**
 * Power of two choices: two servers are drawn, each with a probability by its weight, and the one with less load for
 * its weight wins, the first drawn of equals (ip_vs_twos.c). Draws are from 0 to the sum of weights, both included,
 * so that the first listed is a little more likely.
 */
class TwoChoices implements Scheduler {
  private readonly random: () => number;

  constructor({ random }: SchedulerContext) {
    this.random = random;
  }

  schedule(dests: readonly Destination[]): number {
    let total = 0;
    for (let at = 0; at < dests.length; at++) {
      if (isEligible(dests[at]!)) total += dests[at]!.weight;
    }
    if (total === 0) return NO_DEST;
    const first = drawn(dests, Math.floor(this.random() * (total + 1)));
    const second = drawn(dests, Math.floor(this.random() * (total + 1)));
    return isBetter(dests[second]!, dests[first]!) ? second : first;
  }

  describe(): string {
    return 'two servers are drawn at random: this is one of the possible outcomes';
  }
}

/** @returns the first index up to which the eligible servers' weights add up to `ticket` */
function drawn(dests: readonly Destination[], ticket: number): number {
  let left = ticket;
  let at = 0;
  for (; at < dests.length; at++) {
    if (!isEligible(dests[at]!)) continue;
    left -= dests[at]!.weight;
    if (left <= 0) break;
  }
  return at;
}

/** The kernel multiplies in 32 bits here, unlike in wlc. */
function isBetter(dest: Destination, other: Destination): boolean {
  return Math.imul(dest.weight, overhead(other)) > Math.imul(other.weight, overhead(dest));
}

export const twos: SchedulerSpec = { name: 'twos', create: (_dests, context) => new TwoChoices(context) };
