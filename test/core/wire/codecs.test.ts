import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { emitIcmp, formatIcmp, type IcmpHeader, parseIcmp } from '../../../src/core/wire/icmp.ts';
import { emitIcmpv6, formatIcmpv6, parseIcmpv6 } from '../../../src/core/wire/icmpv6.ts';
import { emitIpv4, formatIpv4Header, type Ipv4Header, parseIpv4 } from '../../../src/core/wire/ipv4.ts';
import { emitIpv6, formatIpv6Header, type Ipv6Header, parseIpv6 } from '../../../src/core/wire/ipv6.ts';
import { emitSctp, formatSctp, parseSctp, type SctpHeader } from '../../../src/core/wire/sctp.ts';
import { emitTcp, formatTcp, parseTcp, type TcpHeader } from '../../../src/core/wire/tcp.ts';
import { emitUdp, formatUdp, parseUdp, type UdpHeader } from '../../../src/core/wire/udp.ts';

interface Codec<H> {
  readonly name: string;
  readonly parse: (b: Uint8Array, at: number) => H | undefined;
  readonly emit: (b: Uint8Array, at: number, h: H) => void;
  readonly format: (h: H) => string;
  readonly header: fc.Arbitrary<H>;
  /** Bytes that a header takes at most. */
  readonly room: number;
  /** From a capture, what they say, and how that is printed. */
  readonly bytes: string;
  readonly says: H;
  readonly printed: string;
}

const u8 = fc.nat(255);
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffffffff);
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const words = fc.tuple(int32, int32, int32, int32);
const headerLength = fc.integer({ min: 5, max: 15 }).map((n) => n * 4);

const IPV4: Codec<Ipv4Header> = {
  name: 'ipv4',
  parse: parseIpv4,
  emit: emitIpv4,
  format: formatIpv4Header,
  room: 60,
  header: fc.record({
    headerLength,
    tos: u8,
    totalLength: fc.integer({ min: 60, max: 0xffff }),
    id: u16,
    fragment: u16,
    ttl: u8,
    protocol: u8,
    checksum: u16,
    src: int32,
    dst: int32,
  }),
  bytes: '4500003ca6264000400680930a0100010a000001',
  says: {
    headerLength: 20,
    tos: 0,
    totalLength: 60,
    id: 0xa626,
    fragment: 0x4000,
    ttl: 64,
    protocol: 6,
    checksum: 0x8093,
    src: 0x0a010001,
    dst: 0x0a000001,
  },
  printed: '10.1.0.1 > 10.0.0.1 protocol 6 ttl 64 length 60 fragment 4000',
};

const IPV6: Codec<Ipv6Header> = {
  name: 'ipv6',
  parse: parseIpv6,
  emit: emitIpv6,
  format: formatIpv6Header,
  room: 40,
  header: fc.record({
    trafficClass: u8,
    flowLabel: fc.nat(0xfffff),
    payloadLength: u16,
    nextHeader: u8,
    hopLimit: u8,
    src: words,
    dst: words,
  }),
  bytes: '60012345001c1140fd000001000000000000000000000001fd000000000000000000000000000001',
  says: {
    trafficClass: 0,
    flowLabel: 0x12345,
    payloadLength: 28,
    nextHeader: 17,
    hopLimit: 64,
    src: [0xfd000001 | 0, 0, 0, 1],
    dst: [0xfd000000 | 0, 0, 0, 1],
  },
  printed: 'fd00:1:0:0:0:0:0:1 > fd00:0:0:0:0:0:0:1 next 17 hops 64 payload 28',
};

const TCP: Codec<TcpHeader> = {
  name: 'tcp',
  parse: parseTcp,
  emit: emitTcp,
  format: formatTcp,
  room: 60,
  header: fc.record({
    srcPort: u16,
    dstPort: u16,
    sequence: u32,
    acknowledgement: u32,
    headerLength,
    flags: u8,
    window: u16,
    checksum: u16,
    urgent: u16,
  }),
  bytes: '01000051000000007beacfc85014000034700000',
  says: {
    srcPort: 256,
    dstPort: 81,
    sequence: 0,
    acknowledgement: 0x7beacfc8,
    headerLength: 20,
    flags: 0x14,
    window: 0,
    checksum: 0x3470,
    urgent: 0,
  },
  printed: 'tcp 256 > 81 RST+ACK seq 0 ack 2078986184',
};

const UDP: Codec<UdpHeader> = {
  name: 'udp',
  parse: parseUdp,
  emit: emitUdp,
  format: formatUdp,
  room: 8,
  header: fc.record({
    srcPort: u16,
    dstPort: u16,
    length: fc.integer({ min: 8, max: 0xffff }),
    checksum: u16,
  }),
  bytes: '1b5900510028143c',
  says: { srcPort: 7001, dstPort: 81, length: 40, checksum: 0x143c },
  printed: 'udp 7001 > 81 length 40',
};

const SCTP: Codec<SctpHeader> = {
  name: 'sctp',
  parse: parseSctp,
  emit: emitSctp,
  format: formatSctp,
  room: 16,
  header: fc.record({
    srcPort: u16,
    dstPort: u16,
    tag: u32,
    checksum: u32,
    chunkType: u8,
    chunkFlags: u8,
    chunkLength: fc.integer({ min: 4, max: 0xffff }),
  }),
  bytes: '03e80b5900000007a1b2c3d401000014',
  says: {
    srcPort: 1000,
    dstPort: 2905,
    tag: 7,
    checksum: 0xa1b2c3d4,
    chunkType: 1,
    chunkFlags: 0,
    chunkLength: 20,
  },
  printed: 'sctp 1000 > 2905 INIT',
};

const icmpHeader: fc.Arbitrary<IcmpHeader> = fc.record({ type: u8, code: u8, checksum: u16, rest: u32 });

const ICMP: Codec<IcmpHeader> = {
  name: 'icmp',
  parse: parseIcmp,
  emit: emitIcmp,
  format: formatIcmp,
  room: 8,
  header: icmpHeader,
  bytes: '0303784d00000000',
  says: { type: 3, code: 3, checksum: 0x784d, rest: 0 },
  printed: 'icmp 3/3',
};

const ICMPV6: Codec<IcmpHeader> = {
  name: 'icmpv6',
  parse: parseIcmpv6,
  emit: emitIcmpv6,
  format: formatIcmpv6,
  room: 8,
  header: icmpHeader,
  bytes: '0200abcd000005dc',
  says: { type: 2, code: 0, checksum: 0xabcd, rest: 1500 },
  printed: 'icmp6 2/0',
};

suite(IPV4);
suite(IPV6);
suite(TCP);
suite(UDP);
suite(SCTP);
suite(ICMP);
suite(ICMPV6);

function suite<H>({ name, parse, emit, format, header, room, bytes, says, printed }: Codec<H>): void {
  describe(name, () => {
    const literal = Uint8Array.from(bytes.match(/../g)!, (byte) => Number.parseInt(byte, 16));

    test('captured bytes are read, and written as they were', () => {
      expect(parse(literal, 0)).toEqual(says);
      const written = new Uint8Array(literal.length);
      emit(written, 0, says);
      expect(written).toEqual(literal);
    });

    test('is printed for traces', () => {
      expect(format(says)).toBe(printed);
    });

    test('emit then parse gives the same header, at any offset', () => {
      fc.assert(
        fc.property(header, fc.nat(64), (h, at) => {
          const b = new Uint8Array(at + room);
          emit(b, at, h);
          expect(parse(b, at)).toEqual(h);
        }),
      );
    });

    test('a header that is cut off is none', () => {
      for (let length = 0; length < literal.length; length++)
        expect(parse(literal.subarray(0, length), 0)).toBeUndefined();
    });

    test('no byte string makes the parser throw', () => {
      fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(90), (b, at) => void parse(b, at)));
    });
  });
}
