import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fragment, NOT_CUT } from '../../../src/core/wire/fragment.ts';
import { IPV4_FRAGMENT, parseIpv4 } from '../../../src/core/wire/ipv4.ts';
import { parseFragmentHeader } from '../../../src/core/wire/ipv6-fragment.ts';
import { pieceOf, wholePacket6 } from '../../support/core-fragments.ts';

const { DF, MF } = IPV4_FRAGMENT;
const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i * 7 + 3);
const packet4 = (length: number, rest = {}): Uint8Array =>
  pieceOf({ version: 4, start: 0, payload: bytes(length), isMore: false, ...rest });

function cut(b: Uint8Array, mtu: number, ignoresDf = false): { answer: number; pieces: Uint8Array[] } {
  const pieces: Uint8Array[] = [];
  const take = (piece: Uint8Array, at: number, length: number): void => {
    pieces.push(piece.slice(at, at + length));
  };
  return { answer: fragment(b, 0, b.length, mtu, 0xfeedbeef, ignoresDf, take), pieces };
}

describe('an IPv4 packet', () => {
  test('that fits stays as it is', () => {
    const b = packet4(100, { hasDf: true });
    expect(cut(b, 120)).toEqual({ answer: 1, pieces: [b] });
  });

  test('is cut at multiples of 8 bytes, each piece with a right header', () => {
    const { answer, pieces } = cut(packet4(100), 70);
    expect(answer).toBe(3);
    const fields = pieces.map((piece) => parseIpv4(piece, 0)!).map((h) => [h.totalLength, h.fragment, h.id]);
    expect(fields).toEqual([
      [68, MF, 1],
      [68, MF | 6, 1],
      [24, 12, 1],
    ]);
    const sums = pieces.map((piece) => onesSum(piece.subarray(0, 20)));
    expect(sums).toEqual([0xffff, 0xffff, 0xffff]);
  });

  test('with DF is cut only if that is ignored, and the pieces have it too', () => {
    const b = packet4(100, { hasDf: true });
    expect(cut(b, 70)).toEqual({ answer: NOT_CUT.FORBIDDEN, pieces: [] });
    const fields = cut(b, 70, true).pieces.map((piece) => parseIpv4(piece, 0)!.fragment);
    expect(fields).toEqual([DF | MF, DF | MF | 6, DF | 12]);
  });

  test('that is a fragment gives fragments of the same packet', () => {
    const b = pieceOf({ version: 4, start: 800, payload: bytes(32), isMore: true });
    const fields = cut(b, 44).pieces.map((piece) => parseIpv4(piece, 0)!.fragment);
    expect(fields).toEqual([MF | 100, MF | 103]);
  });

  // As Linux 6.1 sent it: router alert is copied, the time stamp is not.
  test.each([
    { options: [0x94, 4, 0, 0, 0x44, 4, 5, 0x10], later: [0x94, 4, 0, 0, 1, 1, 1, 1] },
    { options: [7, 3, 4, 1, 0x94, 4, 0, 0], later: [1, 1, 1, 1, 0x94, 4, 0, 0] },
    { options: [7, 3, 4, 0, 7, 3, 4, 0], later: [1, 1, 1, 0, 7, 3, 4, 0] },
    { options: [7, 9, 4, 0, 7, 3, 4, 0], later: [7, 9, 4, 0, 7, 3, 4, 0] },
    { options: [7, 1, 4, 0, 7, 3, 4, 0], later: [7, 1, 4, 0, 7, 3, 4, 0] },
  ])('with options $options has $later in later pieces', ({ options, later }) => {
    const b = packet4(60, { optionBytes: 8 });
    b.set(options, 20);
    const { pieces } = cut(b, 60);
    expect(pieces.map((piece) => [...piece.subarray(20, 28)])).toEqual([options, later]);
  });
});

describe('an IPv6 packet', () => {
  test.each([0, 16])('behind %i bytes of options gets fragment headers', (optionBytes) => {
    const b = wholePacket6(bytes(100), optionBytes);
    const { answer, pieces } = cut(b, 48 + optionBytes + 48);
    expect(answer).toBe(3);
    const headers = pieces.map((piece) => parseFragmentHeader(piece, 40 + optionBytes));
    const common = { nextHeader: 17, identification: 0xfeedbeef };
    expect(headers).toEqual([
      { ...common, offsetBytes: 0, isMore: true },
      { ...common, offsetBytes: 48, isMore: true },
      { ...common, offsetBytes: 96, isMore: false },
    ]);
    expect(pieces.map((piece) => piece[optionBytes > 0 ? 40 : 6])).toEqual([44, 44, 44]);
  });

  test('that is a fragment is not cut again', () => {
    const b = pieceOf({ version: 6, start: 0, payload: bytes(100), isMore: true });
    expect(cut(b, 80)).toEqual({ answer: NOT_CUT.FORBIDDEN, pieces: [] });
  });
});

test.each([
  { what: 'an IPv4 header and 7 bytes', b: packet4(100), mtu: 27 },
  { what: 'an IPv6 header, a fragment header and 7 bytes', b: wholePacket6(bytes(100)), mtu: 55 },
])('an mtu of $what is too small', ({ b, mtu }) => {
  expect(cut(b, mtu).answer).toBe(NOT_CUT.NO_ROOM);
  expect(cut(b, mtu + 1).answer).toBe(13);
});

test('no byte string makes it throw, and every piece keeps to the mtu', () => {
  const real = fc.constantFrom(packet4(100), packet4(200, { optionBytes: 40 }), wholePacket6(bytes(150), 24));
  const change = fc.array(fc.tuple(fc.nat(63), fc.nat(255)), { maxLength: 4 });
  const damaged = fc.tuple(real, change).map(([b, changes]) => {
    const copy = b.slice();
    for (const [at, value] of changes) copy[at] = value;
    return copy;
  });
  fc.assert(
    fc.property(
      fc.oneof(fc.uint8Array({ maxLength: 100 }), damaged),
      fc.integer({ min: -10, max: 300 }),
      (b, mtu) => {
        const before = b.slice();
        const { answer, pieces } = cut(b, mtu, true);
        expect(b).toEqual(before);
        expect(pieces.length).toBe(Math.max(answer, 0));
        for (const piece of pieces) expect(piece.length).toBeLessThanOrEqual(mtu);
      },
    ),
    { numRuns: 2000 },
  );
});

/** The obvious sum of RFC 1071. */
function onesSum(b: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < b.length; i += 2) sum += b[i]! * 256 + b[i + 1]!;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}
