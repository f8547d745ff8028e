import fc from 'fast-check';
import { expect, test } from 'vitest';
import { setU16 } from '../../../src/core/wire/bytes.ts';
import { checksumOf, isIntact } from '../../../src/core/wire/checksum.ts';
import { sealIpv4 } from '../../../src/core/wire/ipv4.ts';

test('a captured header has the sum that its sender wrote', () => {
  const header = Uint8Array.from('4500003ca6264000400680930a0100010a000001'.match(/../g)!, (byte) =>
    Number.parseInt(byte, 16),
  );
  expect(isIntact(header, 0, 20)).toBe(true);
  const sealed = header.slice();
  sealIpv4(sealed, 0);
  expect(sealed).toEqual(header);
});

test('the sum is that of the obvious loop, and one changed bit is found', () => {
  const bytes = fc.uint8Array({ minLength: 2, maxLength: 60 });
  fc.assert(
    fc.property(bytes, fc.nat(), (b, bit) => {
      b.fill(0, 0, 2);
      const sum = checksumOf(b, 0, b.length);
      expect(sum).toBe(slowChecksum(b));
      setU16(b, 0, sum);
      expect(isIntact(b, 0, b.length)).toBe(true);
      b[bit % b.length]! ^= 1 << (bit & 7);
      expect(isIntact(b, 0, b.length)).toBe(false);
    }),
  );
});

/** RFC 1071 by end-around carry after each addition. */
function slowChecksum(b: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < b.length; i += 2) {
    sum += b[i]! * 256 + (b[i + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return 0xffff - sum;
}
