import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashWord } from '../../src/core/siphash.ts';
import { slowHashWord } from './siphash-twin.ts';

const word64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const low = (word: bigint): number => Number(BigInt.asIntN(32, word));
const high = (word: bigint): number => Number(BigInt.asIntN(32, word >> 32n));

test('hashes every word under every key as the 64-bit algorithm does', () => {
  fc.assert(
    fc.property(fc.integer(), word64, word64, (word, k0, k1) => {
      const key = { k0Low: low(k0), k0High: high(k0), k1Low: low(k1), k1High: high(k1) };
      expect(hashWord(word, key) >>> 0).toBe(slowHashWord(word, k0, k1));
    }),
    { numRuns: 2000 },
  );
});
