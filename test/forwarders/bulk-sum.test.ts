import fc from 'fast-check';
import { expect, test } from 'vitest';
import { foldSum } from '../../src/core/wire/checksum.ts';
import { bulkSum } from '../../src/forwarders/bulk-sum.ts';
import { slowSum } from './packets.ts';

test('the sum is that of the obvious loop, wherever the bytes lie', () => {
  const stretch = fc.record({
    bytes: fc.uint8Array({ minLength: 1, maxLength: 1500, size: 'max' }),
    margin: fc.nat(9),
    offset: fc.nat(9),
  });
  fc.assert(
    fc.property(stretch, ({ bytes, margin, offset }) => {
      const buffer = new ArrayBuffer(margin + offset + bytes.length + 3);
      const b = new Uint8Array(buffer, margin);
      b.fill(0xff);
      b.set(bytes, offset);
      expect(foldSum(bulkSum(b, offset, bytes.length))).toBe(slowSum(bytes));
    }),
  );
});

test.each([65_535, 131_072, 200_001])('%i bytes of 255 do not overflow', (length) => {
  const b = new Uint8Array(length).fill(255);
  expect(foldSum(bulkSum(b, 0, length))).toBe(slowSum(b));
});

test('it goes on from another sum', () => {
  const b = Uint8Array.from({ length: 600 }, (_, i) => i * 11);
  const all = foldSum(bulkSum(b, 0, 600));
  expect(foldSum(bulkSum(b, 300, 300, bulkSum(b, 0, 300)))).toBe(all);
});
