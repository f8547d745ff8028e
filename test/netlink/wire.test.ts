import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readAttributes } from '../../src/netlink/attributes.ts';
import { U8, U16, U32, U64 } from '../../src/netlink/policy.ts';
import { HEADER_LEN, readMessages } from '../../src/netlink/wire.ts';
import { MessageWriter } from '../../src/netlink/writer.ts';
import { bytes, hex } from './support.ts';

const POLICY = { 1: U8, 2: U16, 3: U16, 4: U32, 5: U32, 6: U64, 7: { kind: 'text', max: 600 } } as const;
const header = fc.record({
  type: fc.nat(65535),
  flags: fc.nat(65535),
  seq: fc.nat(0xffffffff),
  pid: fc.nat(0xffffffff),
});

test('a message is read as it was written', () => {
  const values = fc.tuple(
    fc.nat(255),
    fc.nat(65535),
    fc.nat(65535),
    fc.nat(0xffffffff),
    fc.nat(0xffffffff),
    fc.maxSafeNat(),
    fc.string({ maxLength: 600 }).filter((text) => !text.includes('\0')),
  );
  fc.assert(
    fc.property(header, values, fc.boolean(), (head, [u8, u16, be16, u32, be32, u64, text], pad64) => {
      const written = new MessageWriter(head, pad64)
        .attrU8(1, u8)
        .attrU16(2, u16)
        .attrBe16(3, be16)
        .attrU32(4, u32)
        .attrBe32(5, be32)
        .attrU64(6, u64, 11)
        .attrText(7, text)
        .finish();
      const [message] = readMessages(written);
      expect(message).toMatchObject(head);
      const read = readAttributes(message!.payload, POLICY);
      if (typeof read === 'string') throw new Error(read);
      const integers = [read.u8(1), read.u16(2), read.be16(3), read.u32(4), read.be32(5), read.u64(6)];
      expect([...integers, read.text(7)]).toEqual([u8, u16, be16, u32, be32, u64, text]);
    }),
  );
});

describe('a datagram is read up to its first impossible header', () => {
  const empty = '10000000030002000000000000000000';
  test.each([
    { what: 'nothing', digits: '', count: 0 },
    { what: '15 bytes', digits: empty.slice(2), count: 0 },
    { what: 'a header', digits: empty, count: 1 },
    { what: 'two headers and a rest', digits: `${empty}${empty}10000000`, count: 2 },
    { what: 'a length below a header', digits: `${empty}0f${empty.slice(2)}`, count: 1 },
    { what: 'a length beyond the end', digits: `11${empty.slice(2)}`, count: 0 },
    { what: 'an unpadded last message', digits: `11${empty.slice(2)}aa`, count: 1 },
    { what: 'an odd length and padding', digits: `11${empty.slice(2)}aa000000${empty}`, count: 2 },
  ])('$what', ({ digits, count }) => {
    expect(readMessages(bytes(digits))).toHaveLength(count);
  });
});

test('attributes lose the bits for nesting and byte order, and end at the first that does not fit', () => {
  const any = { kind: 'bytes' } as const;
  const read = readAttributes(bytes('0500018001000000060002400203000003000300'), { 1: any, 2: any, 3: any });
  if (typeof read === 'string') throw new Error(read);
  expect([1, 2, 3].map((type) => read.bytes(type)).map((value) => value && hex(value))).toEqual([
    '01',
    '0203',
    undefined,
  ]);
});

test('no bytes make the readers throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (any) => {
      for (const { raw } of readMessages(any)) expect(raw.length).toBeGreaterThanOrEqual(HEADER_LEN);
      const read = readAttributes(any, POLICY);
      expect(['EINVAL', 'ERANGE', 'object']).toContain(typeof read === 'string' ? read : typeof read);
    }),
  );
});
