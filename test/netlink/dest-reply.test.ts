import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AF_INET } from '../../src/core/address.ts';
import type { DestEntry } from '../../src/core/config.ts';
import { type Attributes, readAttributes } from '../../src/netlink/attributes.ts';
import { readDestReply } from '../../src/netlink/dest-reply.ts';
import { ATTR, DEST, DEST_POLICY, STATS } from '../../src/netlink/ipvs-abi.ts';
import { U64 } from '../../src/netlink/policy.ts';
import { knownFamily } from '../../src/netlink/requests.ts';
import { HEADER_LEN } from '../../src/netlink/wire.ts';
import { MessageWriter } from '../../src/netlink/writer.ts';

const COUNTERS = {
  conns: STATS.CONNS,
  inPackets: STATS.INPKTS,
  outPackets: STATS.OUTPKTS,
  inBytes: STATS.INBYTES,
  outBytes: STATS.OUTBYTES,
  cps: STATS.CPS,
  inPps: STATS.INPPS,
  outPps: STATS.OUTPPS,
  inBps: STATS.INBPS,
  outBps: STATS.OUTBPS,
} as const;
const COUNTER_POLICY = Object.fromEntries(Object.values(COUNTERS).map((type) => [type, U64]));

const value = fc.uint8Array({ maxLength: 20 });
/** Mostly what a kernel sends; the families are drawn so that both are met. */
const attribute = fc.oneof(
  fc.tuple(fc.integer({ min: 0, max: DEST.TUN_FLAGS + 1 }), value),
  fc.tuple(fc.constant(DEST.ADDR), fc.uint8Array({ minLength: 14, maxLength: 17 })),
  fc.tuple(fc.constant(DEST.ADDR_FAMILY), fc.constantFrom(Uint8Array.of(2, 0), Uint8Array.of(10, 0))),
);
const counter = fc.tuple(
  fc.integer({ min: 0, max: STATS.PAD }),
  fc.uint8Array({ minLength: 7, maxLength: 9 }),
);

test('a destination is read as by the reader of any attributes', () => {
  fc.assert(
    fc.property(fc.array(attribute), fc.option(fc.array(counter)), fc.nat(3), (attributes, counters, cut) => {
      const message = reply(attributes, counters ?? undefined);
      const read = readDestReply(message, HEADER_LEN, message.length - cut);
      expect(read && { ...read, stats: spelledOut(read) }).toEqual(twin(message.subarray(HEADER_LEN), cut));
    }),
    { numRuns: 2000 },
  );
});

test('no bytes make the reader throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (any) => {
      const read = readDestReply(any, 0, any.length);
      expect(read === undefined || Object.values(spelledOut(read)).every(Number.isInteger)).toBe(true);
    }),
  );
});

function reply(
  attributes: readonly (readonly [number, Uint8Array])[],
  counters: readonly (readonly [number, Uint8Array])[] | undefined,
): Uint8Array {
  const writer = new MessageWriter({ type: 16, flags: 0, seq: 0, pid: 0 });
  writer.nest(ATTR.DEST, () => {
    for (const [type, bytes] of attributes) writer.attrBytes(type, bytes);
    if (counters) {
      writer.nest(DEST.STATS64, () => {
        for (const [type, bytes] of counters) writer.attrBytes(type, bytes);
      });
    }
  });
  return writer.finish();
}

function spelledOut({ stats }: DestEntry): Record<string, number> {
  const keys = Object.keys(COUNTERS) as (keyof typeof COUNTERS)[];
  return Object.fromEntries(keys.map((key) => [key, stats[key]]));
}

/** The reader that is obviously right. */
function twin(message: Uint8Array, cut: number): unknown {
  const outer = readAttributes(message.subarray(0, message.length - cut), { [ATTR.DEST]: { kind: 'bytes' } });
  const bytes = typeof outer === 'string' ? undefined : outer.bytes(ATTR.DEST);
  // A listing does not show the old counters, so that their form does not matter.
  const policy = { ...DEST_POLICY, [DEST.STATS]: { kind: 'bytes' } as const };
  const dest = bytes && readAttributes(bytes, policy);
  if (!dest || typeof dest === 'string') return undefined;
  const family = knownFamily(dest.u16(DEST.ADDR_FAMILY) || AF_INET);
  return (
    family && {
      addr: dest.address(DEST.ADDR, family),
      port: dest.be16(DEST.PORT),
      weight: dest.i32(DEST.WEIGHT),
      method: dest.u32(DEST.FWD_METHOD) & 7,
      upperThreshold: dest.u32(DEST.U_THRESH),
      lowerThreshold: dest.u32(DEST.L_THRESH),
      tunnelType: dest.u8(DEST.TUN_TYPE),
      tunnelPort: dest.be16(DEST.TUN_PORT),
      tunnelFlags: dest.u16(DEST.TUN_FLAGS),
      active: dest.u32(DEST.ACTIVE_CONNS),
      inactive: dest.u32(DEST.INACT_CONNS),
      persistent: dest.u32(DEST.PERSIST_CONNS),
      stats: twinCounters(dest),
    }
  );
}

function twinCounters(dest: Attributes): Record<string, number> {
  const counters = readAttributes(dest.bytes(DEST.STATS64) ?? new Uint8Array(0), COUNTER_POLICY);
  const read = (type: number): number => (typeof counters === 'string' ? 0 : counters.u64(type));
  return Object.fromEntries(Object.entries(COUNTERS).map(([key, type]) => [key, read(type)]));
}
