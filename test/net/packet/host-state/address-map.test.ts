import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatAddress, ipv4, ipv6 } from '../../../../src/core/address.ts';
import { AddressMap } from '../../../../src/net/packet/host-state/address-map.ts';

/** Few values, so that addresses share words. */
const word = fc.constantFrom(0, 1, -1, 0x7fffffff);
const addresses = fc.oneof(
  word.map(ipv4),
  fc.tuple(word, word, word, word).map((words) => ipv6(...words)),
);

test('finds what a map of texts finds', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(addresses, fc.nat())), addresses, (entries, other) => {
      const map = new AddressMap<number>(1000);
      const twin = new Map<string, number>();
      for (const [address, value] of entries) {
        map.set(address, value);
        twin.set(`${address.family} ${formatAddress(address)}`, value);
      }
      for (const address of [other, ...entries.map(([each]) => each)]) {
        expect(map.get(address)).toBe(twin.get(`${address.family} ${formatAddress(address)}`));
      }
      map.clear();
      expect(map.get(other)).toBeUndefined();
    }),
  );
});

test.each([
  { family: 'IPv4', make: (n: number) => ipv4(n) },
  { family: 'IPv6', make: (n: number) => ipv6(0xfd000000 | 0, n, 0, 1) },
])('one more than the limit of $family empties it', ({ make }) => {
  const map = new AddressMap<number>(3);
  for (const n of [1, 2, 3, 3]) map.set(make(n), n);
  expect([1, 2, 3].map((n) => map.get(make(n)))).toEqual([1, 2, 3]);

  map.set(make(4), 4);

  expect([1, 2, 3, 4].map((n) => map.get(make(n)))).toEqual([undefined, undefined, undefined, 4]);
});
