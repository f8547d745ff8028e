import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PROTOCOL } from '../../src/core/config.ts';
import { PacketView, READING } from '../../src/core/packet-view.ts';
import { setU16 } from '../../src/core/wire/bytes.ts';
import { translateErrorToClient, translateErrorToServer } from '../../src/forwarders/icmp-translate.ts';
import { decrementTtl } from '../../src/forwarders/ttl.ts';
import { address } from '../support/core.ts';
import { icmpPacketOf, packetOf } from '../support/core-packets.ts';
import { framed, hex, slowSum } from './packets.ts';

describe('an error about a reply is as a Linux 6.1 kernel sent it to the server', () => {
  test.each([
    {
      name: 'host unreachable',
      from: '4500004400010000400166b60a0100010a0000010301111e000000004500002800010000400666cb0a0000010a030001005003ec000003e8000007d05012ffff8bda0000',
      server: '10.2.1.1',
      port: 8080,
      sent: '45000044000100003f0166b40a0100010a0201010301f1dd000000004500002800010000400665c90a0201010a0300011f9003ec000003e8000007d05012ffff8bda0000',
    },
    {
      name: 'more quoted than the packet was long',
      from: '4500004700010000400166b30a0100010a0000010304198d000005144500002800010000400666cb0a0000010a030001005003ec000003e8000007d05012ffff8bda000078797a',
      server: '10.2.1.1',
      port: 8080,
      sent: '45000047000100003f0166b10a0100010a0201010304fa4c000005144500002800010000400665c90a0201010a0300011f9003ec000003e8000007d05012ffff8bda000078797a',
    },
    {
      // Recorded before a network card finished its sum.
      name: 'packet too big, IPv6',
      isUnfinished: true,
      from: '6000000000443a40fd000001000000000000000000000001fd00000000000000000000000000000102009842000005006000000000140640fd000000000000000000000000000001fd000001000000000000000000000001005003ed000003e8000007d05012ffffa5d90000',
      server: 'fd00:2::1',
      port: 8081,
      sent: '6000000000443a3ffd000001000000000000000000000001fd0000020000000000000000000000010200fa84000005006000000000140640fd000002000000000000000000000001fd0000010000000000000000000000011f9103ed000003e8000007d05012ffffa5d90000',
    },
  ])('$name', ({ from, server, port, sent, isUnfinished = false }) => {
    const { view, packet, isContained } = framed(hex(from));
    expect(translateErrorToServer(view, address(server), port)).toBe(true);
    decrementTtl(view.bytes, view.at);
    const expected = hex(sent);
    if (isUnfinished) setU16(expected, 42, 0xffff - slowSum(expected.subarray(40)));
    expect(packet()).toEqual(expected);
    expect(isContained()).toBe(true);
  });

  // The quoted header's checksum was wrong by 0x5500, and is right behind it.
  test('a wrong checksum of the quoted IP header is made right', () => {
    const reply = hex('4500001f00010000401133ca0a0000010a030001003503ec000b2350616263');
    const { view, packet } = framed(icmpPacketOf(ENDS, 3, 3, reply));
    translateErrorToServer(view, address('10.2.1.1'), 5353);
    expect(packet().slice(28)).toEqual(hex('4500001f00010000401165c70a0201010a03000114e903ec000b2350616263'));
  });

  test('four bytes behind the quoted header are enough', () => {
    const reply = hex('4500001f00010000401166c90a0000010a030001003503ec');
    const { view, packet } = framed(icmpPacketOf(ENDS, 3, 3, reply));
    expect(translateErrorToServer(view, address('10.2.1.1'), 5353)).toBe(true);
    expect(packet().slice(20)).toEqual(
      hex('0303e427000000004500001f00010000401165c70a0201010a03000114e903ec'),
    );
  });
});

// The quoted UDP checksum, unfinished, is the one that the server saw.
test('an error about a request is as a Linux 6.1 kernel sent it to the client', () => {
  const fromServer =
    '45c000582496000040013f480a0200010a0100010303bcf5000000004500003c3d4840003f11e8640a0100010a0200011b5a00520028143e' +
    '30303332'.padEnd(64, '78');
  const { view, packet } = framed(hex(fromServer));
  expect(translateErrorToClient(view, address('10.0.0.1'), 81)).toBe(true);
  decrementTtl(view.bytes, view.at);
  expect(packet()).toEqual(
    hex(
      '45c00058249600003f01424d0a0000010a0100010303d2f2000000004500003c3d4840003f11ea660a0100010a0000011b5a00510028143e' +
        '30303332'.padEnd(64, '78'),
    ),
  );
});

const ports = fc.integer({ min: 0, max: 65_535 });

test.each([
  { family: 'IPv4', client: '10.1.0.1', vip: '10.0.0.1', server: '10.2.0.1', router: '10.9.0.1', type: 3 },
  { family: 'IPv6', client: 'fd00:1::1', vip: 'fd00::1', server: 'fd00:2::1', router: 'fd00:9::1', type: 1 },
])('$family: a translated error is one made for its receiver', ({ client, vip, server, router, type }) => {
  const protocol = fc.constantFrom(PROTOCOL.TCP, PROTOCOL.UDP, PROTOCOL.SCTP);
  const [caddr, vaddr, daddr] = [client, vip, server].map(address) as [Addr, Addr, Addr];
  fc.assert(
    fc.property(ports, ports, ports, protocol, fc.nat(300), (cport, vport, dport, proto, payloadLength) => {
      const ask = { protocol: proto, payloadLength, src: caddr, sport: cport };
      const request = packetOf({ ...ask, dst: daddr, dport });
      const { view, packet } = framed(icmpPacketOf({ src: address(router), dst: caddr }, type, 0, request));
      translateErrorToClient(view, vaddr, vport);
      // Of the request as the client sent it, all but the transport checksum, which stays the server's.
      const expected = packetOf({ ...ask, dst: vaddr, dport: vport });
      const place = framed(request).view;
      const field = place.transport - place.at + (CHECKSUM_AT[proto] ?? 0);
      if (proto !== PROTOCOL.SCTP) expected.set(request.subarray(field, field + 2), field);
      expect(packet()).toEqual(icmpPacketOf({ src: vaddr, dst: caddr }, type, 0, expected));
    }),
  );
});

const CHECKSUM_AT: Readonly<Record<number, number>> = { 6: 16, 17: 6 };

test.each([
  { name: 'quotes too little', packet: icmpPacketOf(ends(), 3, 3, packetOf(reply()).slice(0, 23)) },
  { name: 'quotes a later fragment', packet: icmpPacketOf(ends(), 3, 3, packetOf(reply(), { fragment: 5 })) },
  {
    name: 'quotes another protocol',
    packet: icmpPacketOf(ends(), 3, 3, packetOf({ ...reply(), protocol: 50 })),
  },
  { name: 'is no ICMP message', packet: packetOf(reply()) },
])('what $name is left alone', ({ packet: bytes }) => {
  const { view, packet } = framed(bytes);
  expect(translateErrorToServer(view, address('10.2.0.1'), 1)).toBe(false);
  expect(translateErrorToClient(view, address('10.2.0.1'), 1)).toBe(false);
  expect(packet()).toEqual(bytes);
});

test('nothing outside the packet is touched, whatever is quoted', () => {
  const quoted = fc.record({
    bytes: fc.uint8Array({ minLength: 20, maxLength: 100 }),
    first: fc.constantFrom(0x45, 0x4f, 0x60),
    protocol: fc.constantFrom(6, 17, 132, 1, 58, 0, 43, 44, 51),
  });
  fc.assert(
    fc.property(quoted, ({ bytes, first, protocol }) => {
      bytes[0] = first;
      bytes[first === 0x60 ? 6 : 9] = protocol;
      if (first !== 0x60) setU16(bytes, 6, 0);
      const isV6 = first === 0x60;
      const to = isV6 ? { src: address('fd00::9'), dst: address('fd00::1') } : ENDS;
      const packet = icmpPacketOf(to, isV6 ? 1 : 3, 1, bytes);
      const { view, bytes: b, isContained } = framed(packet);
      translateErrorToServer(view, to.dst, 1);
      translateErrorToClient(view, to.dst, 1);
      expect(isContained()).toBe(true);
      expect(new PacketView().read(b, view.at, view.end, false)).toBe(READING.WHOLE);
    }),
    { numRuns: 2000 },
  );
});

type Addr = ReturnType<typeof address>;
const ENDS = ends();

function ends() {
  return { src: address('10.1.0.1'), dst: address('10.0.0.1') };
}

function reply() {
  return {
    protocol: PROTOCOL.TCP,
    src: address('10.0.0.1'),
    sport: 80,
    dst: address('10.1.0.1'),
    dport: 1000,
  };
}
