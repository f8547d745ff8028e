import fc from 'fast-check';
import { type Address, ipv4, ipv6 } from '../../src/core/address.ts';
import { CONN_FLAG } from '../../src/core/conn-flags.ts';
import type { SequenceShift, SyncRecord } from '../../src/core/sync-record.ts';

const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const i32 = fc.integer({ min: -0x80000000, max: 0x7fffffff });
const word = i32;

const SEQUENCE_FLAGS = CONN_FLAG.IN_SEQ | CONN_FLAG.OUT_SEQ;

const shift: fc.Arbitrary<SequenceShift> = fc.record({ initial: i32, delta: i32, previousDelta: i32 });

const addressOf = (isV6: boolean): fc.Arbitrary<Address> =>
  isV6 ? fc.tuple(word, word, word, word).map((words) => ipv6(...words)) : word.map(ipv4);

const text = (max: number): fc.Arbitrary<string> =>
  fc
    .array(fc.integer({ min: 0, max: 255 }), { maxLength: max })
    .map((codes) => String.fromCharCode(...codes));

/** Any record that format 1 can carry. */
export const recordV1: fc.Arbitrary<SyncRecord> = fc.boolean().chain((isV6) =>
  fc.record({
    protocol: fc.integer({ min: 0, max: 255 }),
    flags: u32.map((flags) => (flags & ~CONN_FLAG.HASHED) >>> 0),
    state: u16,
    cport: u16,
    vport: u16,
    dport: u16,
    fwmark: u32,
    timeoutSec: u32,
    caddr: addressOf(isV6),
    vaddr: addressOf(isV6),
    daddr: addressOf(isV6),
    sequences: fc.option(fc.record({ in: shift, out: shift }), { nil: undefined }),
    peName: text(16),
    peData: text(255),
  }),
);

/** Any record that format 0 can carry. */
export const recordV0: fc.Arbitrary<SyncRecord> = fc
  .tuple(
    fc.record({
      protocol: fc.integer({ min: 0, max: 255 }),
      flags: u16.map((flags) => flags & ~CONN_FLAG.HASHED),
      state: u16,
      cport: u16,
      vport: u16,
      dport: u16,
      caddr: addressOf(false),
      vaddr: addressOf(false),
      daddr: addressOf(false),
    }),
    fc.record({ in: shift, out: shift }),
  )
  .map(([record, sequences]) => ({
    ...record,
    fwmark: 0,
    timeoutSec: 0,
    sequences: (record.flags & SEQUENCE_FLAGS) !== 0 ? sequences : undefined,
    peName: '',
    peData: '',
  }));
