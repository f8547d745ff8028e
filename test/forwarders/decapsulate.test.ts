import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TUNNEL_TYPE } from '../../src/core/config.ts';
import { setU16, u16 } from '../../src/core/wire/bytes.ts';
import { isIntact } from '../../src/core/wire/checksum.ts';
import { pseudoSum4, sealIpv4 } from '../../src/core/wire/ipv4.ts';
import { pseudoSum6 } from '../../src/core/wire/ipv6.ts';
import { Decapsulation, ipv4Payload, UNWRAPPED, type Unwrapped } from '../../src/forwarders/decapsulate.ts';
import { encapsulate, MAX_TUNNEL_OVERHEAD } from '../../src/forwarders/encapsulate.ts';
import { TUNNEL_FLAG } from '../../src/forwarders/tunnel.ts';
import { address } from '../support/core.ts';
import { packetOf, type Segment } from '../support/core-packets.ts';
import { inGre, inGue, isIpv6 } from '../support/tunnel-packets.ts';

type Kind = 'ipip4' | 'ipip6' | 'gue' | 'gre';
const KINDS: readonly Kind[] = ['ipip4', 'ipip6', 'gue', 'gre'];

const ENDS = {
  ipv4: { src: address('192.0.2.7'), dst: address('10.0.0.1') },
  ipv6: { src: address('2001:db8::7'), dst: address('2001:db8::1') },
} as const;

const segments: fc.Arbitrary<Segment> = fc
  .record({
    family: fc.constantFrom('ipv4', 'ipv6'),
    protocol: fc.constantFrom(6, 17),
    sport: fc.nat(65_535),
    dport: fc.nat(65_535),
    payload: fc.string({ maxLength: 40 }),
  })
  .map(({ family, ...rest }) => ({ ...rest, ...ENDS[family] }));

const packets = segments.map((segment) => packetOf(segment));

const wrapped = fc.oneof(
  packets.map((packet) => ({ kind: isIpv6(packet) ? 'ipip6' : 'ipip4', packet, bytes: packet }) as const),
  packets.map((packet) => ({ kind: 'gue', packet, bytes: packet }) as const),
  fc
    .tuple(packets, fc.nat(8))
    .map(([packet, words]) => ({ kind: 'gue', packet, bytes: inGue(packet, { words }) }) as const),
  fc.tuple(packets, fc.boolean(), fc.option(fc.nat()), fc.option(fc.nat())).map(
    ([packet, checksum, key, sequence]) =>
      ({
        kind: 'gre',
        packet,
        bytes: inGre(packet, {
          checksum,
          ...(key !== null && { key }),
          ...(sequence !== null && { sequence }),
        }),
      }) as const,
  ),
);

describe('unwrapping', () => {
  test('gives the packet that was wrapped, at any offset and whatever follows it', () => {
    fc.assert(
      fc.property(
        wrapped,
        fc.nat(64),
        fc.uint8Array({ maxLength: 9 }),
        ({ kind, packet, bytes }, at, rest) => {
          const slot = new Uint8Array(at + bytes.length + rest.length);
          slot.set(bytes, at);
          slot.set(rest, at + bytes.length);
          // A checksum over all of the payload covers what follows, too.
          const end = kind === 'gre' ? at + bytes.length : slot.length;
          const decapsulation = new Decapsulation();
          expect(unwrap(decapsulation, kind, slot, at, end)).toBe(UNWRAPPED.OK);
          expect(slot.subarray(decapsulation.at, decapsulation.at + decapsulation.length)).toEqual(packet);
        },
      ),
    );
  });

  test('no byte string makes it throw, and nothing outside of the packet is touched or given out', () => {
    const garbage = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc.tuple(wrapped, fc.nat(100), fc.nat(255), fc.nat(100)).map(([{ bytes }, where, byte, length]) => {
        const damaged = bytes.slice(0, Math.max(0, bytes.length - (length > 60 ? length - 60 : 0)));
        if (damaged.length > 0) damaged[where % damaged.length] = byte;
        return damaged;
      }),
    );
    fc.assert(
      fc.property(garbage, fc.constantFrom(...KINDS), fc.nat(9), fc.nat(255), (bytes, kind, at, tos) => {
        const slot = new Uint8Array(at + bytes.length + 70).fill(0xc3);
        slot.set(bytes, at);
        const end = at + bytes.length;
        const decapsulation = new Decapsulation();
        if (unwrap(decapsulation, kind, slot, at, end) === UNWRAPPED.OK) {
          decapsulation.carryCongestion(tos);
          expect(decapsulation.at).toBeGreaterThanOrEqual(at);
          expect(decapsulation.at + decapsulation.length).toBeLessThanOrEqual(end);
        }
        expect(slot.subarray(0, at).every((byte) => byte === 0xc3)).toBe(true);
        expect(slot.subarray(end).every((byte) => byte === 0xc3)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  const packet = packetOf({ protocol: 17, sport: 1, dport: 2, payload: 'four', ...ENDS.ipv4 });
  const patched = (bytes: Uint8Array, at: number, value: number): Uint8Array => {
    const copy = bytes.slice();
    copy[at] = value;
    return copy;
  };

  test.each<{ what: string; kind: Kind; bytes: Uint8Array; result: Unwrapped }>([
    { what: 'IPv4 where IPv6 is said', kind: 'ipip6', bytes: packet, result: UNWRAPPED.MALFORMED },
    { what: 'nothing', kind: 'ipip4', bytes: new Uint8Array(), result: UNWRAPPED.MALFORMED },
    {
      what: 'a packet that is cut off',
      kind: 'ipip4',
      bytes: packet.slice(0, -1),
      result: UNWRAPPED.MALFORMED,
    },
    {
      what: 'a GUE control message',
      kind: 'gue',
      bytes: patched(inGue(packet), 0, 0x20),
      result: UNWRAPPED.UNSUPPORTED,
    },
    {
      what: 'GUE version 2',
      kind: 'gue',
      bytes: patched(inGue(packet), 0, 0x80),
      result: UNWRAPPED.UNSUPPORTED,
    },
    {
      what: 'GUE with Ethernet inside',
      kind: 'gue',
      bytes: patched(inGue(packet), 1, 97),
      result: UNWRAPPED.UNSUPPORTED,
    },
    {
      what: 'unknown GUE flags',
      kind: 'gue',
      bytes: patched(inGue(packet, { words: 1 }), 2, 0x80),
      result: UNWRAPPED.UNSUPPORTED,
    },
    {
      what: 'GUE flags without their field',
      kind: 'gue',
      bytes: patched(inGue(packet), 3, 1),
      result: UNWRAPPED.MALFORMED,
    },
    {
      what: 'unknown private GUE flags',
      kind: 'gue',
      bytes: patched(inGue(packet, { remoteChecksum: [20, 26] }), 7, 1),
      result: UNWRAPPED.UNSUPPORTED,
    },
    {
      what: 'a remote checksum outside of the packet',
      kind: 'gue',
      bytes: inGue(packet, { remoteChecksum: [20, packet.length - 1] }),
      result: UNWRAPPED.MALFORMED,
    },
    {
      what: 'more GUE words than bytes',
      kind: 'gue',
      bytes: patched(inGue(packet), 0, 31),
      result: UNWRAPPED.MALFORMED,
    },
    {
      what: 'GRE with routing',
      kind: 'gre',
      bytes: patched(inGre(packet), 0, 0x40),
      result: UNWRAPPED.UNSUPPORTED,
    },
    {
      what: 'GRE version 1 (PPTP)',
      kind: 'gre',
      bytes: patched(inGre(packet), 1, 1),
      result: UNWRAPPED.UNSUPPORTED,
    },
    {
      what: 'GRE with Ethernet inside',
      kind: 'gre',
      bytes: patched(inGre(packet), 2, 0x65),
      result: UNWRAPPED.UNSUPPORTED,
    },
    {
      what: 'a GRE key that is not there',
      kind: 'gre',
      bytes: new Uint8Array([0x20, 0, 8, 0]),
      result: UNWRAPPED.MALFORMED,
    },
    {
      what: 'a packet changed under its GRE checksum',
      kind: 'gre',
      bytes: patched(inGre(packet, { checksum: true }), 8 + packet.length - 1, 0),
      result: UNWRAPPED.BAD_CHECKSUM,
    },
  ])('refuses $what', ({ kind, bytes, result }) => {
    expect(unwrap(new Decapsulation(), kind, bytes, 0, bytes.length)).toBe(result);
  });
});

test('what our own director wraps is unwrapped, finished or not', () => {
  const outers = fc.constantFrom(
    { source: address('10.77.1.1'), server: address('10.77.1.2') },
    { source: address('fd77::1'), server: address('fd77::2') },
  );
  const types = fc.constantFrom(...Object.values(TUNNEL_TYPE));
  const flags = fc.constantFrom(0, TUNNEL_FLAG.CSUM, TUNNEL_FLAG.REMCSUM);
  fc.assert(
    fc.property(packets, outers, types, flags, fc.boolean(), (packet, ends, type, bits, isPartial) => {
      const at = MAX_TUNNEL_OVERHEAD;
      const bytes = new Uint8Array(at + packet.length);
      bytes.set(packet, at);
      if (isPartial) leaveUnfinished(bytes.subarray(at));
      const isV6 = isIpv6(packet);
      const place = {
        bytes,
        at,
        transport: at + (isV6 ? 40 : 20),
        end: bytes.length,
        isV6,
        protocol: protocolOf(packet),
      };
      const start = encapsulate(place, { ...ends, type, flags: bits, port: 6080 }, 1, true, isPartial);
      const behindOuter = start + (isIpv6(bytes.subarray(start)) ? 40 : 20);
      const decapsulation = new Decapsulation();
      const plain = isV6 ? 'ipip6' : 'ipip4';
      const kind = type === TUNNEL_TYPE.GUE ? 'gue' : type === TUNNEL_TYPE.GRE ? 'gre' : plain;
      const from = kind === 'gue' ? behindOuter + 8 : behindOuter;
      expect(unwrap(decapsulation, kind, bytes, from, bytes.length)).toBe(UNWRAPPED.OK);
      const inner = bytes.subarray(decapsulation.at, decapsulation.at + decapsulation.length);
      expect(inner.length).toBe(packet.length);
      expect(isFinished(inner)).toBe(true);
      if (!isPartial) expect(inner).toEqual(packet);
    }),
  );
});

describe('an unfinished inner checksum', () => {
  test('is finished, in every tunnel and under a GRE checksum over the finished packet', () => {
    fc.assert(
      fc.property(packets, fc.constantFrom('ipip', 'gue', 'gre', 'gre checksum'), (packet, tunnel) => {
        const { wrap, kind } = WAYS[tunnel]!;
        const bytes = wrap(packet);
        const inner = bytes.subarray(bytes.length - packet.length);
        const { field } = leaveUnfinished(inner);
        const decapsulation = new Decapsulation();
        expect(
          unwrap(decapsulation, kind ?? (isIpv6(packet) ? 'ipip6' : 'ipip4'), bytes, 0, bytes.length),
        ).toBe(UNWRAPPED.OK);
        // 0 and 0xffff are the same number in this arithmetic.
        expect(u16(inner, field) % 0xffff).toBe(u16(packet, field) % 0xffff);
        expect(isFinished(inner)).toBe(true);
      }),
    );
  });

  test('that GUE tells of is finished by what it tells', () => {
    fc.assert(
      fc.property(packets, (packet) => {
        const { start, field } = leaveUnfinished(packet);
        const bytes = inGue(packet, { remoteChecksum: [start, field] });
        const decapsulation = new Decapsulation();
        expect(decapsulation.gue(bytes, 0, bytes.length)).toBe(UNWRAPPED.OK);
        expect(decapsulation.length).toBe(packet.length);
        expect(isFinished(bytes.subarray(decapsulation.at))).toBe(true);
      }),
    );
  });

  test('a wrong checksum stays wrong, and so does the absence of one', () => {
    for (const wrong of [0, 0x1234]) {
      const packet = packetOf({ protocol: 17, sport: 1, dport: 2, payload: 'four', ...ENDS.ipv4 });
      setU16(packet, 26, wrong);
      new Decapsulation().ipip(packet, 0, packet.length, 4);
      expect(u16(packet, 26)).toBe(wrong);
    }
  });

  test('a fragment is left as it is', () => {
    const segment: Segment = { protocol: 17, sport: 1, dport: 2, payload: 'four', ...ENDS.ipv4 };
    const packet = packetOf(segment, { fragment: 0x2000 });
    leaveUnfinished(packet);
    const before = packet.slice();
    expect(new Decapsulation().ipip(packet, 0, packet.length, 4)).toBe(UNWRAPPED.OK);
    expect(packet).toEqual(before);
  });
});

describe('a mark of congestion on the outside', () => {
  const NOT_CAPABLE = 0;
  const CAPABLE = 2;
  const MARKED = 3;

  test.each([
    { outer: CAPABLE, inner: CAPABLE, result: UNWRAPPED.OK, left: CAPABLE },
    { outer: MARKED, inner: CAPABLE, result: UNWRAPPED.OK, left: MARKED },
    { outer: MARKED, inner: 1, result: UNWRAPPED.OK, left: MARKED },
    { outer: MARKED, inner: MARKED, result: UNWRAPPED.OK, left: MARKED },
    { outer: MARKED, inner: NOT_CAPABLE, result: UNWRAPPED.CONGESTED, left: NOT_CAPABLE },
    { outer: NOT_CAPABLE, inner: MARKED, result: UNWRAPPED.OK, left: MARKED },
  ])('$outer outside and $inner inside give $left', ({ outer, inner, result, left }) => {
    for (const ends of Object.values(ENDS)) {
      const packet = packetOf({ protocol: 6, sport: 1, dport: 2, ...ends });
      const isV6 = isIpv6(packet);
      packet[1]! |= isV6 ? inner << 4 : 0xa0 | inner;
      if (!isV6) sealIpv4(packet, 0);
      const decapsulation = new Decapsulation();
      decapsulation.ipip(packet, 0, packet.length, isV6 ? 6 : 4);
      expect(decapsulation.carryCongestion(0xb8 | outer)).toBe(result);
      expect((packet[1]! >>> (isV6 ? 4 : 0)) & 3).toBe(left);
      if (!isV6) {
        expect(packet[1]! & 0xfc).toBe(0xa0);
        expect(isIntact(packet, 0, 20)).toBe(true);
      }
    }
  });

  test('a damaged inner header stays damaged', () => {
    const packet = packetOf({ protocol: 6, sport: 1, dport: 2, ...ENDS.ipv4 });
    packet[1] = CAPABLE;
    const decapsulation = new Decapsulation();
    decapsulation.ipip(packet, 0, packet.length, 4);
    decapsulation.carryCongestion(MARKED);
    expect(isIntact(packet, 0, 20)).toBe(false);
  });
});

describe('the payload of an IPv4 packet', () => {
  test('starts behind its options', () => {
    const packet = packetOf({ protocol: 6, sport: 1, dport: 2, ...ENDS.ipv4 }, { optionBytes: 12 });
    expect(ipv4Payload(packet, 0, packet.length)).toBe(32);
  });

  test.each([
    ['no byte', []],
    ['IPv6', [0x60, ...new Array<number>(39).fill(0)]],
    ['a header of 16 bytes', [0x44, ...new Array<number>(19).fill(0)]],
    ['a header longer than the packet', [0x46, ...new Array<number>(19).fill(0)]],
  ])('is not there for %s', (_what, bytes) => {
    expect(ipv4Payload(new Uint8Array(bytes), 0, bytes.length)).toBe(-1);
  });
});

const WAYS: Readonly<Record<string, { kind?: Kind; wrap: (packet: Uint8Array) => Uint8Array }>> = {
  ipip: { wrap: (packet) => packet.slice() },
  gue: { kind: 'gue', wrap: (packet) => inGue(packet) },
  gre: { kind: 'gre', wrap: (packet) => inGre(packet) },
  'gre checksum': { kind: 'gre', wrap: (packet) => inGre(packet, { checksum: true }) },
};

function unwrap(d: Decapsulation, kind: Kind, b: Uint8Array, at: number, end: number): Unwrapped {
  if (kind === 'gue') return d.gue(b, at, end);
  return kind === 'gre' ? d.gre(b, at, end) : d.ipip(b, at, end, kind === 'ipip4' ? 4 : 6);
}

const protocolOf = (packet: Uint8Array): number => packet[isIpv6(packet) ? 6 : 9]!;

const transportOf = (packet: Uint8Array) => {
  const isV6 = isIpv6(packet);
  const start = isV6 ? 40 : 20;
  const protocol = protocolOf(packet);
  const length = packet.length - start;
  const pseudo = isV6 ? pseudoSum6(packet, 0, protocol, length) : pseudoSum4(packet, 0, length);
  return { start, length, pseudo, field: start + (protocol === 6 ? 16 : 6) };
};

/** Leaves only the sum of the pseudo header, as a kernel does that counts on hardware. */
function leaveUnfinished(packet: Uint8Array): { start: number; field: number } {
  const { start, field, pseudo } = transportOf(packet);
  const once = (pseudo & 0xffff) + (pseudo >>> 16);
  setU16(packet, field, (once & 0xffff) + (once >>> 16));
  return { start, field };
}

function isFinished(packet: Uint8Array): boolean {
  const { start, length, pseudo } = transportOf(packet);
  return isIntact(packet, start, length, pseudo);
}
