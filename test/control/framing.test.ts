import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Deframer, FramingError, frame } from '../../src/control/framing.ts';

const MAX = 4096;

const datagram = fc.uint8Array({ minLength: 16, maxLength: 300 });

test('the length stands before the datagram, little-endian', () => {
  const framed = frame(new Uint8Array(258).fill(7));
  expect([...framed.subarray(0, 5)]).toEqual([2, 1, 0, 0, 7]);
  expect(framed.length).toBe(262);
});

test('however a stream is cut into pieces, the same datagrams come out', () => {
  fc.assert(
    fc.property(fc.array(datagram), fc.array(fc.nat(3000)), (datagrams, cuts) => {
      const pieces = cut(concat(datagrams.map(frame)), cuts);
      const deframer = new Deframer(MAX);
      expect(pieces.flatMap((piece) => [...deframer.push(piece)])).toEqual(datagrams);
      expect(deframer.idle).toBe(true);
    }),
  );
});

test('a stream that ends inside a frame is not idle', () => {
  const framed = frame(new Uint8Array(20));
  for (let length = 1; length < framed.length; length++) {
    const deframer = new Deframer(MAX);
    expect([...deframer.push(framed.subarray(0, length))]).toEqual([]);
    expect(deframer.idle).toBe(false);
  }
});

test.each([0, 1, 15, MAX + 1, 0x7fffffff, 0xffffffff])('a length of %i is refused', (length) => {
  expect(() => [...new Deframer(MAX).push(prefix(length))]).toThrow(FramingError);
});

test.each([16, MAX])('a length of %i is accepted', (length) => {
  expect([...new Deframer(MAX).push(frame(new Uint8Array(length)))]).toHaveLength(1);
});

test('whatever the cut, the datagrams before a wrong length come out and the error follows', () => {
  fc.assert(
    fc.property(fc.array(datagram), fc.array(fc.nat(3000)), (datagrams, cuts) => {
      const pieces = cut(concat([...datagrams.map(frame), prefix(3)]), cuts);
      const deframer = new Deframer(MAX);
      const seen: Uint8Array[] = [];
      const read = (): void => {
        for (const piece of pieces) for (const found of deframer.push(piece)) seen.push(found);
      };
      expect(read).toThrow(FramingError);
      expect(seen).toEqual(datagrams);
    }),
  );
});

function prefix(length: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, length, true);
  return bytes;
}

const concat = (parts: readonly Uint8Array[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...part]));

function cut(bytes: Uint8Array, positions: readonly number[]): Uint8Array[] {
  const edges = [0, ...positions.map((at) => at % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return edges.slice(1).map((end, i) => bytes.subarray(edges[i]!, end));
}
