import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { REASSEMBLY, REASSEMBLY_DROPS } from '../../src/core/reassembly.ts';
import { fragment } from '../../src/core/wire/fragment.ts';
import { sec } from '../support/core.ts';
import { type Piece, pieceOf, wholePacket6 } from '../support/core-fragments.ts';
import { bytesPerCall } from '../support/core-memory.ts';
import { payloadBytes as bytes, ReassemblyLab as Lab } from './reassembly-lab.ts';
import { SlowReassembler } from './reassembly-twin.ts';

const { WHOLE, KEPT, DROPPED } = REASSEMBLY;
const VERSIONS = [4, 6] as const;

describe('fragments of a packet', () => {
  const cut = fc.record({
    version: fc.constantFrom(...VERSIONS),
    payload: fc.uint8Array({ minLength: 1, maxLength: 700 }),
    sizes: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 90 }),
    optionBytes: fc.constantFrom(0, 8, 16),
    hasDf: fc.boolean(),
    order: fc.infiniteStream(fc.nat(1000)),
    twice: fc.infiniteStream(fc.boolean()),
  });

  test('give the packet again, in any order, some of them twice', () => {
    fc.assert(
      fc.property(cut, ({ version, payload, sizes, optionBytes, hasDf, order, twice }) => {
        const pieces = piecesOf(payload, sizes).map(
          (each): Piece => ({ ...each, version, optionBytes, hasDf }),
        );
        const sent = pieces.flatMap((piece) => (twice.next().value ? [piece, piece] : [piece]));
        const shuffled = sent
          .map((piece) => ({ piece, key: order.next().value }))
          .sort((a, b) => a.key - b.key)
          .map(({ piece }) => piece);
        const lab = new Lab();
        let whole: Uint8Array | undefined;
        for (const piece of shuffled) if (lab.accept(piece) === WHOLE) whole ??= lab.whole();
        const packet =
          version === 6
            ? wholePacket6(payload, optionBytes)
            : pieceOf({ version, start: 0, payload, isMore: false, optionBytes, hasDf });
        expect(whole).toEqual(packet);
      }),
      { numRuns: 400 },
    );
  });

  test('that `fragment` made give the packet again', () => {
    fc.assert(
      fc.property(fc.constantFrom(...VERSIONS), fc.integer({ min: 1400, max: 65_000 }), (version, size) => {
        const payload = bytes(size);
        const packet =
          version === 6 ? wholePacket6(payload, 8) : pieceOf({ version, start: 0, payload, isMore: false });
        const lab = new Lab();
        const { reassembler } = lab;
        let answer: number = WHOLE;
        const pieces = fragment(packet, 0, packet.length, 1400, 9, false, (b, at, length) => {
          answer = reassembler.accept(b, at, length, 0);
        });
        expect(pieces).toBeGreaterThan(1);
        expect(answer).toBe(WHOLE);
        expect(Buffer.compare(lab.whole(), packet)).toBe(0);
        expect(reassembler.maxFragmentBytes).toBeLessThanOrEqual(1400);
      }),
      { numRuns: 60 },
    );
  });

  test('are told from those of others by addresses, identification and protocol', () => {
    const { reassembler, accept } = new Lab();
    const first: Piece = { version: 4, start: 0, payload: bytes(8), isMore: true };
    const other = pieceOf(first);
    other[9] = 6;
    reassembler.accept(other, 0, other.length, 0);
    const kinds: readonly Partial<Piece>[] = [{}, { id: 2 }, { sender: 2 }, { version: 6 }];
    for (const kind of kinds) expect(accept({ ...first, ...kind })).toBe(KEPT);
    expect(reassembler.waiting).toBe(5);
    const last: Piece = { version: 4, start: 8, payload: bytes(5, 8), isMore: false };
    for (const kind of kinds) expect(accept({ ...last, ...kind })).toBe(WHOLE);
    expect(reassembler.waiting).toBe(1);
  });
});

test('any fragments: its slow twin says the same of each', () => {
  const piece = fc.record({
    version: fc.constantFrom(...VERSIONS),
    start: fc.nat(5).map((units) => units * 8),
    length: fc.oneof(fc.constantFrom(8, 16, 24), fc.nat(20)),
    isMore: fc.oneof({ weight: 3, arbitrary: fc.constant(true) }, fc.constant(false)),
    ecn: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.constant(2)),
    id: fc.nat(1),
  });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
      const lab = new Lab();
      const twin = new SlowReassembler();
      for (const [i, { length, ...rest }] of pieces.entries()) {
        const each: Piece = { ...rest, payload: bytes(length, rest.start + i) };
        expect(lab.outcome(each)).toEqual(twin.accept(each));
      }
    }),
    { numRuns: 1500 },
  );
});

describe('malformed fragments', () => {
  test.each([
    { what: 'nothing', b: new Uint8Array(0) },
    {
      what: 'half an IPv4 header',
      b: pieceOf({ version: 4, start: 0, payload: bytes(8), isMore: true }).subarray(0, 19),
    },
    {
      what: 'less than the total length',
      b: pieceOf({ version: 4, start: 0, payload: bytes(8), isMore: true }).subarray(0, 27),
    },
    { what: 'an IPv6 packet without fragment header', b: wholePacket6(bytes(16)) },
    {
      what: 'an IPv6 fragment header cut off',
      b: wholePacket6(new Uint8Array([0, 44, 0, 0, 0, 0, 0, 0, 1, 2])),
    },
  ])('$what: dropped and counted', ({ b }) => {
    const { reassembler } = new Lab();
    expect(reassembler.accept(b, 0, b.length, 0)).toBe(DROPPED);
    expect(reassembler.drops().malformed).toBe(1);
    expect(reassembler.waiting).toBe(0);
  });

  test('never make it throw, and are never written to', () => {
    const real = fc.constantFrom(
      pieceOf({ version: 4, start: 0, payload: bytes(24), isMore: true, optionBytes: 8 }),
      pieceOf({ version: 4, start: 24, payload: bytes(9), isMore: false }),
      pieceOf({ version: 6, start: 0, payload: bytes(24), isMore: true, optionBytes: 8 }),
      pieceOf({ version: 6, start: 24, payload: bytes(9), isMore: false }),
    );
    const change = fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 3 });
    const damaged = fc.tuple(real, change).map(([b, changes]) => {
      const copy = b.slice();
      for (const [at, value] of changes) if (at < copy.length) copy[at] = value;
      return copy;
    });
    const packets = fc.array(fc.oneof(damaged, fc.uint8Array({ maxLength: 90 })), { maxLength: 12 });
    fc.assert(
      fc.property(packets, (all) => {
        const { reassembler } = new Lab({ memoryBytes: 1024, maxQueues: 3 });
        for (const [i, b] of all.entries()) {
          const before = b.slice();
          expect([WHOLE, KEPT, DROPPED]).toContain(reassembler.accept(b, 0, b.length, sec(i * 9)));
          expect(b).toEqual(before);
        }
      }),
      { numRuns: 700 },
    );
  });

  test('a packet longer than 65535 bytes with its header is given up', () => {
    const { accept, reassembler } = new Lab();
    expect(accept({ version: 4, start: 0, payload: bytes(32_000), isMore: true })).toBe(KEPT);
    expect(accept({ version: 4, start: 32_000, payload: bytes(32_000), isMore: true })).toBe(KEPT);
    expect(accept({ version: 4, start: 64_000, payload: bytes(1520), isMore: false })).toBe(DROPPED);
    expect(reassembler.drops().too_long).toBe(1);
    expect(reassembler.waiting).toBe(0);
  });

  test('a packet in more than 256 pieces out of order is given up', () => {
    const { accept, reassembler } = new Lab();
    for (let i = 257; i > 1; i--)
      expect(accept({ version: 4, start: i * 8, payload: bytes(8), isMore: true })).toBe(KEPT);
    expect(accept({ version: 4, start: 8, payload: bytes(8), isMore: true })).toBe(DROPPED);
    expect(reassembler.drops().too_many_pieces).toBe(1);
    expect(reassembler.waiting).toBe(0);
  });
});

describe('time', () => {
  test.each([
    { version: 4 as const, limitSec: 30 },
    { version: 6 as const, limitSec: 60 },
  ])('an IPv$version packet waits $limitSec s from its first fragment on', ({ version, limitSec }) => {
    const lab = new Lab();
    lab.accept({ version, start: 0, payload: bytes(8), isMore: true }, 0);
    lab.accept({ version, start: 8, payload: bytes(8), isMore: true }, sec(limitSec) - 1);
    const { reassembler } = lab;
    expect(reassembler.nextDeadline()).toBe(sec(limitSec));
    reassembler.expire(sec(limitSec) - 1);
    expect(reassembler.waiting).toBe(1);
    expect(lab.accept({ version, start: 16, payload: bytes(8), isMore: false }, sec(limitSec))).toBe(KEPT);
    expect(reassembler.drops().timed_out).toBe(1);
    expect(reassembler.nextDeadline()).toBe(sec(2 * limitSec));
  });

  test.each(VERSIONS)('the sender of an IPv%i packet gets its first fragment quoted', (version) => {
    const told: Uint8Array[] = [];
    const onTimedOut = (b: Uint8Array, at: number, length: number): void => {
      told.push(b.slice(at, at + length));
    };
    const lab = new Lab({ onTimedOut });
    const first: Piece = { version, start: 0, payload: bytes(24), isMore: true, optionBytes: 8 };
    lab.accept({ version, start: 24, payload: bytes(16), isMore: true }, 0);
    lab.accept({ version, start: 64, payload: bytes(16), isMore: true, id: 2 }, 0);
    lab.accept(first, 10);
    lab.reassembler.expire(sec(60));
    expect(told).toEqual([pieceOf(first)]);
    expect(lab.reassembler.drops().timed_out).toBe(2);
    expect(lab.reassembler.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('memory', () => {
  test('is bounded: the packets that have waited longest make room', () => {
    const lab = new Lab({ memoryBytes: 16 * 1024 });
    for (let id = 0; id < 200; id++)
      lab.accept({ version: 4, start: 0, payload: bytes(1000), isMore: true, id });
    // Two blocks of 512 bytes for the payload and one for the header.
    expect(lab.reassembler.waiting).toBe(10);
    expect(lab.reassembler.drops().evicted).toBe(190);
    expect(lab.accept({ version: 4, start: 1000, payload: bytes(8), isMore: false, id: 199 })).toBe(WHOLE);
    expect(lab.accept({ version: 4, start: 1000, payload: bytes(8), isMore: false, id: 0 })).toBe(KEPT);
  });

  test('holds no packet that is larger', () => {
    const { accept, reassembler } = new Lab({ memoryBytes: 1024 });
    expect(accept({ version: 4, start: 0, payload: bytes(512), isMore: true })).toBe(KEPT);
    expect(accept({ version: 4, start: 512, payload: bytes(512), isMore: false })).toBe(DROPPED);
    expect(reassembler.waiting).toBe(0);
    expect(accept({ version: 4, start: 0, payload: bytes(512), isMore: true })).toBe(KEPT);
  });

  test('is for so many packets at most', () => {
    const { accept, reassembler } = new Lab({ maxQueues: 10 });
    for (let id = 0; id < 30; id++)
      accept({ version: id % 2 === 0 ? 4 : 6, start: 0, payload: bytes(8), isMore: true, id });
    expect(reassembler.waiting).toBe(10);
    expect(reassembler.drops().evicted).toBe(20);
  });

  test('all of it is there again when packets are gone', () => {
    const lab = new Lab({ memoryBytes: 64 * 1024 });
    for (let round = 0; round < 50; round++) {
      for (let i = 0; i < 40; i++)
        lab.accept({ version: 6, start: i * 1400, payload: bytes(1400), isMore: i < 39, id: round });
    }
    expect(Object.values(lab.reassembler.drops()).every((count) => count === 0)).toBe(true);
  });

  test.each(VERSIONS)('an IPv%i packet in three leaves an object for each copy on the heap', (version) => {
    const { reassembler } = new Lab();
    const [last, first, middle] = [2, 0, 1].map((i) =>
      pieceOf({ version, start: i * 400, payload: bytes(400), isMore: i < 2 }),
    ) as [Uint8Array, Uint8Array, Uint8Array];
    let answer: number = KEPT;
    const put = (b: Uint8Array): number => reassembler.accept(b, 0, b.length, 1_000_000.25);
    const allocated = bytesPerCall(() => {
      put(last);
      put(first);
      answer = put(middle);
    });
    expect(answer).toBe(WHOLE);
    // Three payloads and a header: to copy them in takes a typed array of 100 bytes each.
    expect(allocated).toBeLessThan(4 * 120);
  });
});

test('counters have a name for each reason', () => {
  expect(Object.keys(new Lab().reassembler.drops())).toEqual([...REASSEMBLY_DROPS]);
});

/** Cuts a payload at multiples of 8 bytes. @param sizes in units of 8 bytes; the last one repeats */
function piecesOf(
  payload: Uint8Array,
  sizes: readonly number[],
): Pick<Piece, 'start' | 'payload' | 'isMore'>[] {
  const pieces: Pick<Piece, 'start' | 'payload' | 'isMore'>[] = [];
  for (let start = 0, i = 0; start < payload.length; i++) {
    const size = (sizes[i] ?? sizes.at(-1)!) * 8;
    const part = payload.slice(start, start + size);
    pieces.push({ start, payload: part, isMore: start + size < payload.length });
    start += size;
  }
  return pieces;
}
