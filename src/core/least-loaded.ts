import type { Destination } from './destination.ts';
import { NO_DEST } from './scheduler.ts';

/** Load that a server would have with one connection more, of the active only (sed and nq). */
export const expectedLoad = (dest: Destination): number => dest.active + 1;

/**
 * The rule of wlc: the least load for its weight wins; of equals, the first listed (ip_vs_wlc.c).
 * @returns the index of an eligible server, or NO_DEST
 */
export function leastLoaded(dests: readonly Destination[], load: (dest: Destination) => number): number {
  let best = NO_DEST;
  let least = 0;
  let leastWeight = 0;
  for (let at = 0; at < dests.length; at++) {
    const dest = dests[at]!;
    const { weight } = dest;
    if (weight <= 0 || dest.overloaded) continue;
    const seen = load(dest);
    if (
      weight === leastWeight
        ? seen >= least
        : best !== NO_DEST && !isLighter(seen, weight, least, leastWeight)
    )
      continue;
    // Nothing is lighter than an idle server.
    if (seen === 0) return at;
    best = at;
    least = seen;
    leastWeight = weight;
  }
  return best;
}

/** Whether `load / weight < otherLoad / otherWeight`; products beyond 2^53 are compared exactly. */
export function isLighter(load: number, weight: number, otherLoad: number, otherWeight: number): boolean {
  const left = load * otherWeight;
  const right = otherLoad * weight;
  if (left <= Number.MAX_SAFE_INTEGER && right <= Number.MAX_SAFE_INTEGER) return left < right;
  return BigInt(load) * BigInt(otherWeight) < BigInt(otherLoad) * BigInt(weight);
}
