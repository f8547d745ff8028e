import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type CapturedPacket,
  COMMENT_LIMIT,
  emitInterface,
  emitPacket,
  emitSection,
  PACKET_BLOCK_LIMIT,
  PACKET_DIRECTION,
  SNAP_LENGTH,
} from '../../../../src/net/packet/trace/pcapng.ts';
import { readPcapng } from './pcapng-reader.ts';

const packets = fc.array(
  fc.record({
    bytes: fc.uint8Array({ maxLength: 200 }),
    headroom: fc.nat(40),
    direction: fc.constantFrom(...Object.values(PACKET_DIRECTION)),
    comment: fc.string({ unit: 'grapheme', maxLength: 60 }),
    timestampNs: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  }),
  { maxLength: 8 },
);

test('every packet is read as it was written, whatever was in the buffer before', () => {
  fc.assert(
    fc.property(packets, fc.nat(255), (list, dirt) => {
      const file = fileOf(
        list.map(({ bytes, headroom, ...rest }) => {
          const slot = new Uint8Array(headroom + bytes.length + 9).fill(0xee);
          slot.set(bytes, headroom);
          return { ...rest, bytes: slot, at: headroom, length: bytes.length, interfaceId: 0 };
        }),
        dirt,
      );
      const read = readPcapng(file);
      expect(read.interfaces).toEqual([{ linktype: 101, name: 'uipvs0', resolution: 9 }]);
      expect(read.application).toBe('uipvs 1.2.3');
      expect(read.packets).toEqual(
        list.map(({ bytes, direction, comment, timestampNs }) => ({
          bytes,
          originalLength: bytes.length,
          direction,
          comment,
          timestampNs,
        })),
      );
    }),
  );
});

test('a section and an interface have the bytes that the format asks for', () => {
  const file = Buffer.from(fileOf([], 0xaa));
  expect(
    file
      .toString('hex')
      .replace(/(.{8})/g, '$1 ')
      .trim(),
  ).toBe(
    [
      '0a0d0d0a 30000000 4d3c2b1a 01000000 ffffffff ffffffff',
      '04000b00 75697076 7320312e 322e3300 00000000 30000000',
      '01000000 34000000 65000000 00000200',
      '02000600 75697076 73300000 03000400 74657374 09000100 09000000 00000000 34000000',
    ].join(' '),
  );
});

test('a comment that is too long is cut between characters', () => {
  const comment = `x${'ö'.repeat(COMMENT_LIMIT)}`;
  const [read] = readPcapng(fileOf([packetOf(new Uint8Array(20), comment)], 0)).packets;
  expect(read!.comment).toBe(`x${'ö'.repeat(COMMENT_LIMIT / 2 - 1)}`);
});

test('of the longest packets the start is kept, and a block never exceeds its limit', () => {
  const bytes = new Uint8Array(SNAP_LENGTH + 100).fill(7);
  const b = new Uint8Array(PACKET_BLOCK_LIMIT);
  const end = emitPacket(b, 0, packetOf(bytes, 'ö'.repeat(COMMENT_LIMIT)));
  expect(end).toBeLessThanOrEqual(PACKET_BLOCK_LIMIT);
  const [read] = readPcapng(fileOf([packetOf(bytes, '')], 0)).packets;
  expect(read!.originalLength).toBe(SNAP_LENGTH + 100);
  expect(Buffer.compare(read!.bytes, bytes.subarray(0, SNAP_LENGTH))).toBe(0);
});

const packetOf = (bytes: Uint8Array, comment: string): CapturedPacket => ({
  bytes,
  at: 0,
  length: bytes.length,
  interfaceId: 0,
  direction: PACKET_DIRECTION.INBOUND,
  comment,
  timestampNs: 1n,
});

function fileOf(list: readonly CapturedPacket[], dirt: number): Uint8Array {
  const b = new Uint8Array(1000 + list.length * 1000 + SNAP_LENGTH * 2).fill(dirt);
  let end = emitInterface(b, emitSection(b, 0, 'uipvs 1.2.3'), 'uipvs0', 'test');
  for (const packet of list) end = emitPacket(b, end, packet);
  return b.subarray(0, end);
}
