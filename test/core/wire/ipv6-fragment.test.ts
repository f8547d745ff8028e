import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  emitFragmentHeader,
  FRAGMENT_HEADER_LEN,
  formatFragmentHeader,
  HeaderChain,
  parseFragmentHeader,
} from '../../../src/core/wire/ipv6-fragment.ts';

describe('the fragment header', () => {
  test('of a capture is read as it was sent', () => {
    const captured = Uint8Array.from([0x11, 0, 0x05, 0x99, 0x53, 0x69, 0xd3, 0x75]);
    const header = parseFragmentHeader(captured, 0)!;
    expect(header).toEqual({ nextHeader: 17, offsetBytes: 1432, isMore: true, identification: 0x5369d375 });
    expect(formatFragmentHeader(header)).toBe('fragment 1399444341 at 1432+ next 17');
  });

  test('emit then parse gives the same header, at any offset', () => {
    const header = fc.record({
      nextHeader: fc.nat(255),
      offsetBytes: fc.nat(0x1fff).map((units) => units * 8),
      isMore: fc.boolean(),
      identification: fc.nat(0xffffffff),
    });
    fc.assert(
      fc.property(header, fc.nat(64), (h, at) => {
        const b = new Uint8Array(at + FRAGMENT_HEADER_LEN).fill(0xff);
        emitFragmentHeader(b, at, h.nextHeader, h.offsetBytes, h.isMore, h.identification);
        expect(parseFragmentHeader(b, at)).toEqual(h);
      }),
    );
  });

  test('is undefined where it is cut off', () => {
    expect(parseFragmentHeader(new Uint8Array(10), 3)).toBeUndefined();
  });
});

describe('the chain of headers', () => {
  const packet = (first: number, ...rest: readonly (readonly number[])[]): Uint8Array => {
    const b = new Uint8Array(40 + rest.length * 8);
    b[6] = first;
    for (const [i, bytes] of rest.entries()) b.set(bytes, 40 + i * 8);
    return b;
  };

  test.each([
    { what: 'no extension', b: packet(17, [0]), header: 40, namedAt: 6 },
    { what: 'hop-by-hop options', b: packet(0, [17]), header: 48, namedAt: 40 },
    { what: 'options, then a route', b: packet(60, [43], [17]), header: 56, namedAt: 48 },
    { what: 'a route, then options', b: packet(43, [60], [17]), header: 48, namedAt: 40 },
    { what: 'a fragment header', b: packet(44, [17]), header: 40, namedAt: 6 },
  ])('is left for the payload behind $what', ({ b, header, namedAt }) => {
    const chain = new HeaderChain();
    expect(chain.toFragmentable(b, 0, b.length)).toBe(true);
    expect(chain).toMatchObject({ header, namedAt });
  });

  test.each([
    { what: 'first', b: packet(44, [17]), header: 40, namedAt: 6 },
    { what: 'behind options', b: packet(60, [44], [17]), header: 48, namedAt: 40 },
  ])('leads to the fragment header that is $what', ({ b, header, namedAt }) => {
    const chain = new HeaderChain();
    expect(chain.toFragmentHeader(b, 0, b.length)).toBe(true);
    expect(chain).toMatchObject({ header, namedAt });
  });

  test.each([
    { what: 'behind an upper layer', b: packet(17, [44]), end: 48 },
    { what: 'in a header that is cut off', b: packet(60, [44, 1]), end: 48 },
    { what: 'cut off', b: packet(44, [17]), end: 47 },
  ])('leads to no fragment header $what', ({ b, end }) => {
    expect(new HeaderChain().toFragmentHeader(b, 0, end)).toBe(false);
  });
});
