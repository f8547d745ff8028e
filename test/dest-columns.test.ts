import fc from 'fast-check';
import { expect, test } from 'vitest';
import { packDests, unpackDests } from '../src/dest-columns.ts';
import { destEntry } from './netlink/arbitraries.ts';

test('destinations survive the way from the worker to the main thread', () => {
  const overloaded = fc.option(fc.boolean(), { nil: undefined });
  fc.assert(
    fc.property(fc.array(fc.tuple(destEntry, overloaded)), (drawn) => {
      const dests = drawn.map(([dest, isOverloaded]) =>
        isOverloaded === undefined ? dest : { ...dest, overloaded: isOverloaded },
      );
      expect(unpackDests(packDests(dests))).toEqual(dests);
    }),
  );
});
