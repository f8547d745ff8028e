import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Address, AF_INET, AF_INET6, type Family, ipv4, ipv6 } from '../../src/core/address.ts';
import { PROTOCOL } from '../../src/core/config.ts';
import { PacketView, READING } from '../../src/core/packet-view.ts';
import { setU16, u16 } from '../../src/core/wire/bytes.ts';
import { crc32c } from '../../src/core/wire/crc32c.ts';
import { sealSctp } from '../../src/core/wire/sctp.ts';
import { translateDestination, translateSource } from '../../src/forwarders/translate.ts';
import { decrementTtl, setTtl, ttlOf } from '../../src/forwarders/ttl.ts';
import { address } from '../support/core.ts';
import { bytesPerCall } from '../support/core-memory.ts';
import { packetOf } from '../support/core-packets.ts';
import { framed, hex, resealed, unfinished } from './packets.ts';

describe('a packet to the server is as a Linux 6.1 kernel sent it on', () => {
  test.each([
    {
      name: 'UDP',
      from: '4500001f00010000401166c90a0300010a00000103e80035000bf73d787878',
      to: '10.2.1.1',
      port: 5353,
      sent: '4500001f000100003f1166c70a0300010a02010103e814e9000be187787878',
    },
    {
      name: 'UDP whose checksum is unfinished',
      isPartial: true,
      from: '45000030a3144000401183a60a0100010a0000011b590035001c14303030313078787878787878787878787878787878',
      to: '10.2.0.1',
      port: 5353,
      sent: '45000030a31440003f1184a40a0100010a0200011b5914e9001c14323030313078787878787878787878787878787878',
    },
    {
      name: 'UDP without checksum',
      from: '4500001f00010000401166c90a0300010a00000103ec0035000b0000616263',
      to: '10.2.0.1',
      port: 5353,
      sent: '4500001f000100003f1167c70a0300010a02000103ec14e9000b0e9a616263',
    },
    {
      name: 'UDP without checksum, with bytes behind the datagram',
      from: '4500002400010000401166c40a0300010a00000103ec0035000b0000616263747261696c',
      to: '10.2.1.1',
      port: 5353,
      sent: '45000024000100003f1166c20a0300010a02010103ec14e9000b3153616263747261696c',
    },
    {
      name: 'TCP',
      from: '4500002d00010000400666c60a0300010a00000103e80050000003e8000007d05018ffff22e200007878787878',
      to: '10.2.1.1',
      port: 8080,
      sent: '4500002d000100003f0666c40a0300010a02010103e81f90000003e8000007d05018ffff02a000007878787878',
    },
    {
      name: 'SCTP',
      from: '4500003400010000408466410a0300010a00000103e80b59000000071cbcab220100001400000000000000000000000000000000',
      to: '10.2.1.1',
      port: 2906,
      sent: '45000034000100003f84663f0a0300010a02010103e80b5a0000000782972b3f0100001400000000000000000000000000000000',
    },
    {
      name: 'UDP over IPv6',
      from: '60000000000b1140fd000001000000000000000000000001fd00000000000000000000000000000103ec0035000b3d50616263',
      to: 'fd00:2::1',
      port: 5354,
      sent: '60000000000b113ffd000001000000000000000000000001fd00000200000000000000000000000103ec14ea000b2899616263',
    },
    {
      name: 'TCP over IPv6',
      from: '6000000000140640fd000001000000000000000000000001fd00000000000000000000000000000103ed0050000003e8000007d05002ffffa5e90000',
      to: 'fd00:2::1',
      port: 8081,
      sent: '600000000014063ffd000001000000000000000000000001fd00000200000000000000000000000103ed1f91000003e8000007d05002ffff86a60000',
    },
  ])('$name', ({ from, to, port, sent, isPartial = false }) => {
    const { view, packet } = framed(hex(from));
    expect(translateDestination(view, address(to), port, isPartial)).toBe(true);
    expect(decrementTtl(view.bytes, view.at)).toBe(true);
    expect(packet()).toEqual(hex(sent));
  });
});

describe('a reply is as a Linux 6.1 kernel sent it on', () => {
  test.each([
    {
      name: 'UDP',
      from: '4500002100010000401165c50a0201010a03000114e903e8000d690b7878787878',
      port: 53,
      sent: '45000021000100003f1167c70a0000010a030001003503e8000d7ec17878787878',
    },
    {
      name: 'UDP whose checksum is unfinished',
      isPartial: true,
      from: '45000026664840004011c07a0a0200010a01000114e91b59001214287273312e2e2e2e2e2e2e',
      port: 53,
      sent: '45000026664840003f11c17c0a0000010a01000100351b59001214267273312e2e2e2e2e2e2e',
    },
    {
      name: 'TCP',
      from: '4500002f00010000400665c20a0201010a0300011f9003e8000003e8000007d05011ffff8a2c000078787878787878',
      port: 80,
      sent: '4500002f000100003f0667c40a0000010a030001005003e8000003e8000007d05011ffffaa6e000078787878787878',
    },
    {
      name: 'SCTP',
      from:
        '4500003400010000408465' +
        '3f0a0201010a0300010b5a03e8000000078a69cc8d0200001400000000000000000000000000000000',
      port: 2905,
      sent: '45000034000100003f8467410a0000010a0300010b5903e8000000071dc825040200001400000000000000000000000000000000',
    },
  ])('$name', ({ from, port, sent, isPartial = false }) => {
    const source = hex(from);
    const { view, packet } = framed(source);
    expect(translateSource(view, address('10.0.0.1'), port, isPartial)).toBe(true);
    decrementTtl(view.bytes, view.at);
    expect(packet()).toEqual(hex(sent));
  });
});

const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const addressOf = (family: Family): fc.Arbitrary<Address> =>
  family === AF_INET
    ? word.map(ipv4)
    : fc.tuple(word, word, word, word).map(([a, b, c, d]) => ipv6(a, b, c, d));
const port = fc.integer({ min: 0, max: 65_535 });
const exchange = fc.constantFrom<Family>(AF_INET, AF_INET6).chain((family) =>
  fc.record({
    src: addressOf(family),
    dst: addressOf(family),
    other: addressOf(family),
    sport: port,
    dport: port,
    otherPort: port,
    protocol: fc.constantFrom(PROTOCOL.TCP, PROTOCOL.UDP),
    payloadLength: fc.nat(600),
  }),
);

test('finished checksums are those that a computation from scratch gives', () => {
  fc.assert(
    fc.property(exchange, (e) => {
      const { view, packet, isContained } = framed(packetOf(e));
      translateDestination(view, e.other, e.otherPort, false);
      expect(packet()).toEqual(resealed(packetOf({ ...e, dst: e.other, dport: e.otherPort })));
      translateSource(view, e.dst, e.dport, false);
      expect(packet()).toEqual(
        resealed(packetOf({ ...e, src: e.dst, sport: e.dport, dst: e.other, dport: e.otherPort })),
      );
      expect(isContained()).toBe(true);
    }),
  );
});

test('unfinished checksums stay the sum of the pseudo header', () => {
  fc.assert(
    fc.property(exchange, (e) => {
      const { view, packet } = framed(unfinished(packetOf(e)));
      translateDestination(view, e.other, e.otherPort, true);
      expect(packet()).toEqual(unfinished(packetOf({ ...e, dst: e.other, dport: e.otherPort })));
    }),
  );
});

test('there and back restores every byte, even around a wrong checksum', () => {
  fc.assert(
    fc.property(exchange, fc.integer({ min: 1, max: 0xfffe }), (e, damage) => {
      const whole = packetOf(e);
      const { view, packet } = framed(whole);
      const field = view.transport + (e.protocol === PROTOCOL.TCP ? 16 : 6);
      setU16(view.bytes, field, damage);
      const before = packet();
      translateDestination(view, e.other, e.otherPort, false);
      translateDestination(view, e.dst, e.dport, false);
      expect(packet()).toEqual(before);
    }),
  );
});

test('a TCP checksum of 0 or 0xffff is brought up to date like any other', () => {
  const one = {
    protocol: PROTOCOL.TCP,
    src: address('10.0.0.9'),
    sport: 1,
    dst: address('10.0.0.1'),
    dport: 80,
  };
  const base = packetOf(one);
  const { view } = framed(base);
  // The urgent pointer takes up what the sum lacks to 0xffff.
  const urgent = u16(view.bytes, view.transport + 16);
  setU16(view.bytes, view.transport + 18, urgent);
  setU16(view.bytes, view.transport + 16, 0);
  const zero = framed(view.bytes.slice(view.at, view.end));
  expect(resealed(zero.packet())).toEqual(zero.packet());
  translateDestination(zero.view, address('10.2.0.1'), 8080, false);
  expect(resealed(zero.packet())).toEqual(zero.packet());
  translateDestination(zero.view, address('10.0.0.1'), 80, false);
  expect(u16(zero.bytes, zero.view.transport + 16)).toBe(0);
});

test('a UDP checksum that becomes 0 is written as 0xffff', () => {
  const flow = {
    protocol: PROTOCOL.UDP,
    src: address('10.0.0.9'),
    sport: 1,
    dst: address('10.0.0.1'),
    dport: 80,
  };
  const { view, bytes, packet } = framed(packetOf({ ...flow, payloadLength: 3 }));
  const sum = u16(bytes, view.transport + 6);
  translateDestination(view, flow.dst, 80 + sum, false);
  expect(u16(bytes, view.transport + 6)).toBe(0xffff);
  expect(resealed(packet())).toEqual(packet());
});

test('SCTP keeps its checksum, right or wrong, while the port stays', () => {
  const sctp =
    '4500003400010000408466410a0300010a00000103e80b59000000071cbcab220100001400000000000000000000000000000000';
  const { view, bytes } = framed(hex(sctp));
  bytes[view.transport + 8]! ^= 1;
  translateDestination(view, address('10.2.1.1'), 0x0b59, false);
  expect(bytes[view.transport + 8]).toBe(0x1d);
  translateDestination(view, address('10.0.0.1'), 0x0b58, false);
  translateDestination(view, address('10.0.0.1'), 0x0b59, false);
  expect(bytes[view.transport + 8]).toBe(0x1c);
});

test('the checksum of SCTP is the CRC32c of the published check value', () => {
  expect(crc32c(new TextEncoder().encode('123456789'), 0, 9) >>> 0).toBe(0xe3069283);
  const chunk = hex(`0b5a03e8000000070000000002000014${'00'.repeat(16)}`);
  sealSctp(chunk, 0, chunk.length);
  expect(chunk.slice(8, 12)).toEqual(hex('8a69cc8d'));
});

test.each([
  { name: 'an address of the other family', packet: packetOf(tcp()), to: 'fd00::1', cut: 0 },
  { name: 'a TCP header that is cut off', packet: cut(packetOf(tcp()), 1), to: '10.2.0.1' },
  { name: 'a UDP header that is cut off', packet: cut(packetOf(tcp(PROTOCOL.UDP)), 1), to: '10.2.0.1' },
  { name: 'another protocol', packet: packetOf(tcp(50)), to: '10.2.0.1' },
])('$name is left alone', ({ packet: bytes, to }) => {
  const { view, packet } = framed(bytes);
  expect(translateDestination(view, address(to), 1, false)).toBe(false);
  expect(translateSource(view, address(to), 1, false)).toBe(false);
  expect(packet()).toEqual(bytes);
});

test('nothing outside the packet is touched, whatever its bytes are', () => {
  const anything = fc.record({
    bytes: fc.uint8Array({ minLength: 20, maxLength: 120 }),
    first: fc.constantFrom(0x45, 0x46, 0x4f, 0x60),
    protocol: fc.constantFrom(6, 17, 132, 1, 58, 43, 44),
    isPartial: fc.boolean(),
  });
  fc.assert(
    fc.property(anything, ({ bytes, first, protocol, isPartial }) => {
      bytes[0] = first;
      bytes[first === 0x60 ? 6 : 9] = protocol;
      setU16(bytes, first === 0x60 ? 4 : 2, first === 0x60 ? Math.max(0, bytes.length - 40) : bytes.length);
      const view = new PacketView();
      const whole = new Uint8Array(bytes.length + 64).fill(0xa5);
      whole.set(bytes, 32);
      if (view.read(whole, 32, 32 + bytes.length, false) === READING.MALFORMED) return;
      const to = address(view.isV6 ? 'fd00::1' : '10.0.0.1');
      translateDestination(view, to, 1, isPartial);
      translateSource(view, to, 1, isPartial);
      decrementTtl(whole, 32);
      const isMargin = (_: number, i: number): boolean => i < 32 || i >= 32 + bytes.length;
      expect(whole.filter(isMargin).every((byte) => byte === 0xa5)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

describe('TTL and hop limit', () => {
  test.each([
    { name: 'IPv4', to: '10.0.0.1', from: '10.0.0.9' },
    { name: 'IPv6', to: 'fd00::1', from: 'fd00::9' },
  ])('$name: every value can be set, its checksum kept right', ({ to, from }) => {
    const flow = { ...tcp(), src: address(from), dst: address(to) };
    const { view, packet, bytes } = framed(packetOf(flow));
    for (let ttl = 0; ttl < 256; ttl++) {
      setTtl(bytes, view.at, ttl);
      expect(ttlOf(bytes, view.at)).toBe(ttl);
      expect(resealed(packet())).toEqual(packet());
    }
  });

  test.each([0, 1])('a packet with %i is not sent on', (ttl) => {
    const { view, bytes, packet } = framed(packetOf(tcp()));
    setTtl(bytes, view.at, ttl);
    const before = packet();
    expect(decrementTtl(bytes, view.at)).toBe(false);
    expect(packet()).toEqual(before);
  });
});

test.each(['10.2.0.1', 'fd00:2::1'])(
  'a packet to %s is rewritten without leaving anything on the heap',
  (server) => {
    const to = address(server);
    const flow = { ...tcp(), src: address(to.family === AF_INET ? '10.1.0.1' : 'fd00:1::1'), dst: to };
    const { view, bytes } = framed(packetOf({ ...flow, payloadLength: 100 }));
    let ports = 0;
    const rewrite = (): void => {
      ports = (ports + 1) & 1023;
      translateDestination(view, to, ports, false);
      translateSource(view, to, ports, true);
      decrementTtl(bytes, view.at);
    };
    expect(bytesPerCall(rewrite)).toBeLessThan(4);
  },
);

function tcp(protocol: number = PROTOCOL.TCP) {
  return { protocol, src: address('10.1.0.1'), sport: 1000, dst: address('10.0.0.1'), dport: 80 };
}

/** A packet without its last bytes, and with the length that goes with that. */
function cut(packet: Uint8Array, bytes: number): Uint8Array {
  const b = packet.slice(0, packet.length - bytes);
  setU16(b, 2, b.length);
  return b;
}
