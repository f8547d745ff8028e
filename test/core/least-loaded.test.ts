import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Destination, overhead } from '../../src/core/destination.ts';
import { expectedLoad, leastLoaded } from '../../src/core/least-loaded.ts';
import { server } from '../schedulers/fixture.ts';

const state = fc.record({
  weight: fc.oneof(fc.nat(3), fc.nat(2 ** 31 - 1)),
  active: fc.oneof(fc.nat(3), fc.nat(2 ** 31 - 1)),
  inactive: fc.oneof(fc.constant(0), fc.nat(2 ** 31 - 1)),
  overloaded: fc.boolean(),
});

test.each([
  { name: 'overhead', load: overhead },
  { name: 'expected load', load: expectedLoad },
])('the least $name by weight wins, of equals the first listed, exactly for any numbers', ({ load }) => {
  fc.assert(
    fc.property(fc.array(state, { maxLength: 8 }), (states) => {
      const dests = states.map((each, i) => server(i + 1, each));
      expect(leastLoaded(dests, load)).toBe(slowLeastLoaded(dests, load));
    }),
    { numRuns: 2000 },
  );
});

/** By fractions of unlimited size. */
function slowLeastLoaded(dests: readonly Destination[], load: (dest: Destination) => number): number {
  const eligible = dests.filter(({ weight, overloaded }) => weight > 0 && !overloaded);
  const isLeast = (dest: Destination): boolean =>
    eligible.every(
      (other) => BigInt(load(dest)) * BigInt(other.weight) <= BigInt(load(other)) * BigInt(dest.weight),
    );
  const found = eligible.find(isLeast);
  return found ? dests.indexOf(found) : -1;
}
