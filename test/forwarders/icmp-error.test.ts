import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PROTOCOL } from '../../src/core/config.ts';
import { setU16 } from '../../src/core/wire/bytes.ts';
import { isIntact } from '../../src/core/wire/checksum.ts';
import { ICMP_TYPE } from '../../src/core/wire/icmp.ts';
import { pseudoSum6 } from '../../src/core/wire/ipv6.ts';
import {
  hostUnreachable,
  MAX_ERROR_BYTES,
  packetTooBig,
  portUnreachable,
  timeExceeded,
  writeIcmpError,
} from '../../src/forwarders/icmp-error.ts';
import { decrementTtl } from '../../src/forwarders/ttl.ts';
import { address } from '../support/core.ts';
import { icmpPacketOf, packetOf } from '../support/core-packets.ts';
import { filled, framed, hex, identification, withoutFlowLabel } from './packets.ts';

describe('an answer is as a Linux 6.1 kernel wrote it', () => {
  const plain = '4500001f00010000401166c90a0300010a00000103eb0035000b2351616263';
  const plain6 =
    '60000000000b1140fd000001000000000000000000000001fd00000000000000000000000000000103eb0035000b3d51616263';

  test.each([
    {
      name: 'type of service 0x03',
      error: portUnreachable(false),
      about: hex('4503001f00010000401166c60a0300010a00000103e80035000b2354616263'),
      answer: hex(
        '45c2003bbe1c00004001a7df0a0000010a0300010303111e000000004503001f00010000401166c60a0300010a00000103e80035000b2354616263',
      ),
    },
    {
      name: 'type of service 0xff',
      error: portUnreachable(false),
      about: hex('45ff001f00010000401165ca0a0300010a00000103e80035000b2354616263'),
      answer: hex(
        '45de003bbe2e00004001a7b10a0000010a0300010303111e0000000045ff001f00010000401165ca0a0300010a00000103e80035000b2354616263',
      ),
    },
    {
      name: 'DF, which the answer does not have',
      error: portUnreachable(false),
      about: hex('4500001f00014000401126c90a0300010a00000103e80035000b2354616263'),
      answer: hex(
        '45c0003bbe3f00004001a7be0a0000010a0300010303111e000000004500001f00014000401126c90a0300010a00000103e80035000b2354616263',
      ),
    },
    {
      name: 'a TCP segment',
      error: portUnreachable(false),
      about: hex(
        '4500003ca6264000400680930a0100010a0000011b5900512989930b00000000a002faf014310000020405b40402080aafa535d90000000001030306',
      ),
      answer: hex(
        '45c0005804f30000400160f00a0000010a0100010303784d000000004500003ca6264000400680930a0100010a0000011b5900512989930b00000000a002faf014310000020405b40402080aafa535d90000000001030306',
      ),
    },
    {
      name: 'options',
      error: portUnreachable(false),
      about: hex('4600002300010000401163c30a0300010a0000010101010103e80035000b2354616263'),
      answer: hex(
        '45c0003fbe6200004001a7970a0000010a0300010303111e000000004600002300010000401163c30a0300010a0000010101010103e80035000b2354616263',
      ),
    },
    {
      name: 'a long packet',
      error: portUnreachable(false),
      about: filled('450002d800010000401164100a0300010a00000103e8003502c4bf21', 728),
      answer: filled(
        '45c00240be4300004001a5b50a0000010a0300010303501300000000450002d800010000401164100a0300010a00000103e8003502c4bf21',
        576,
      ),
    },
    {
      name: 'TTL 1',
      error: timeExceeded(false),
      about: hex('4500001f000100000111a5c90a0300010a00000103e90035000b2353616263'),
      answer: hex(
        '45c0003bbe9000004001a76d0a0000010a0300010b000921000000004500001f000100000111a5c90a0300010a00000103e90035000b2353616263',
      ),
    },
    {
      name: 'no route',
      error: hostUnreachable(false),
      about: hex(plain),
      answer: hex(`45c0003bbf0100004001a6fc0a0000010a03000103011120000000004500001f${plain.slice(8)}`),
    },
    {
      name: 'too long',
      error: packetTooBig(false, 600),
      isForwarded: true,
      about: filled('450002d800014000401124100a0300010a00000103ea003502c4bf1f', 728),
      answer: filled(
        '45c00240bedb00004001a51d0a0000010a03000103044dba00000258450002d8000140003f1125100a0300010a00000103ea003502c4bf1f',
        576,
      ),
    },
    {
      name: 'IPv6',
      error: portUnreachable(true),
      about: hex(
        '6ff12345000b1109fd000001000000000000000000000001fd00000000000000000000000000000103e80035000b3d54616263',
      ),
      answer: hex(
        '60091bfa003b3a40fd000000000000000000000000000001fd00000100000000000000000000000101046053000000006ff12345000b1109fd000001000000000000000000000001fd00000000000000000000000000000103e80035000b3d54616263',
      ),
    },
    {
      name: 'hop limit 1',
      error: timeExceeded(true),
      about: hex(
        '60000000000b1101fd000001000000000000000000000001fd00000000000000000000000000000103e90035000b3d53616263',
      ),
      answer: hex(
        '6002f010003b3a40fd000000000000000000000000000001fd000001000000000000000000000001030091950000000060000000000b1101fd000001000000000000000000000001fd00000000000000000000000000000103e90035000b3d53616263',
      ),
    },
    {
      name: 'no route, IPv6',
      error: hostUnreachable(true),
      about: hex(plain6),
      answer: hex(
        `600a4391003b3a40fd000000000000000000000000000001fd0000010000000000000000000000010103935300000000${plain6}`,
      ),
    },
    {
      name: 'too long, IPv6',
      error: packetTooBig(true, 1280),
      isForwarded: true,
      about: filled(
        '60000000051c1140fd000001000000000000000000000001fd00000000000000000000000000000103ea0035051cb651',
        1348,
      ),
      answer: filled(
        '6004b24404d83a40fd000000000000000000000000000001fd000001000000000000000000000001020098ca0000050060000000051c113ffd000001000000000000000000000001fd00000000000000000000000000000103ea0035051cb651',
        1280,
      ),
    },
  ])('$name', ({ error, about, answer, isForwarded = false }) => {
    const { view } = framed(about);
    if (isForwarded) decrementTtl(view.bytes, view.at);
    const sender = {
      source: address(view.isV6 ? 'fd00::1' : '10.0.0.1'),
      ttl: 64,
      id: view.isV6 ? 0 : identification(answer),
    };
    const out = new Uint8Array(2000);
    const length = writeIcmpError(out, 7, view, error, sender);
    expect(out.slice(7, 7 + length)).toEqual(withoutFlowLabel(answer));
  });
});

describe('no answer', () => {
  const flow = {
    protocol: PROTOCOL.UDP,
    src: address('10.1.0.1'),
    sport: 9,
    dst: address('10.0.0.1'),
    dport: 53,
  };
  const flow6 = { ...flow, src: address('fd00:1::1'), dst: address('fd00::1') };
  const icmpError = (type: number): Uint8Array => icmpPacketOf(flow, type, 0, packetOf(flow));

  test.each([
    { name: 'to the unspecified address', about: packetOf({ ...flow, src: address('0.0.0.0') }) },
    { name: 'to a multicast', about: packetOf({ ...flow, src: address('224.0.0.1') }) },
    { name: 'about a multicast', about: packetOf({ ...flow, dst: address('239.1.2.3') }) },
    { name: 'about a broadcast', about: packetOf({ ...flow, dst: address('255.255.255.255') }) },
    { name: 'about a later fragment', about: packetOf(flow, { fragment: 0x2001 }) },
    ...Object.entries({ ...ICMP_TYPE, UNKNOWN: 19 })
      .filter(([name]) => !name.startsWith('ECHO'))
      .map(([name, type]) => ({ name: `about ICMP ${name}`, about: icmpError(type) })),
    { name: 'to ::', about: packetOf({ ...flow6, src: address('::') }) },
    { name: 'to an IPv6 multicast', about: packetOf({ ...flow6, src: address('ff02::1') }) },
    { name: 'about an IPv6 multicast', about: packetOf({ ...flow6, dst: address('ff02::1') }) },
    { name: 'about an ICMPv6 error', about: icmpPacketOf(flow6, 127, 0, packetOf(flow6)) },
    { name: 'about a later IPv6 fragment', about: laterFragment6(packetOf(flow6, { optionBytes: 8 })) },
  ])('$name', ({ about }) => {
    const { view } = framed(about);
    const source = address(view.isV6 ? 'fd00::1' : '10.0.0.1');
    const out = new Uint8Array(2000).fill(0xa5);
    expect(writeIcmpError(out, 0, view, portUnreachable(view.isV6), { source, ttl: 64, id: 1 })).toBe(0);
    expect(out.every((byte) => byte === 0xa5)).toBe(true);
  });

  test('where there is no room, or from another family', () => {
    const { view } = framed(packetOf(flow));
    const sender = { source: address('10.0.0.1'), ttl: 64, id: 1 };
    const length = 28 + packetOf(flow).length;
    expect(writeIcmpError(new Uint8Array(length + 4), 5, view, portUnreachable(false), sender)).toBe(0);
    expect(writeIcmpError(new Uint8Array(length + 5), 5, view, portUnreachable(false), sender)).toBe(length);
    const other = { ...sender, source: address('fd00::1') };
    expect(writeIcmpError(new Uint8Array(2000), 0, view, portUnreachable(false), other)).toBe(0);
  });
});

test.each([
  { name: 'an ICMP request', to: '10.0.0.1', from: '10.1.0.1', type: 8 },
  { name: 'an ICMPv6 request', to: 'fd00::1', from: 'fd00:1::1', type: 128 },
])('$name may be answered', ({ to, from, type }) => {
  const ends = { src: address(from), dst: address(to) };
  const { view } = framed(icmpPacketOf(ends, type, 0, new Uint8Array(8)));
  const sender = { source: ends.dst, ttl: 64, id: 1 };
  expect(writeIcmpError(new Uint8Array(2000), 0, view, timeExceeded(view.isV6), sender)).toBeGreaterThan(0);
});

test('every answer is sound, as long as it may be, and the packet stays as it was', () => {
  const packet = fc.record({
    isV6: fc.boolean(),
    payloadLength: fc.nat(1500),
    protocol: fc.constantFrom(PROTOCOL.TCP, PROTOCOL.UDP),
  });
  fc.assert(
    fc.property(packet, fc.nat(65_535), ({ isV6, payloadLength, protocol }, mtu) => {
      const [src, dst] = isV6
        ? [address('fd00:1::1'), address('fd00::1')]
        : [address('10.1.0.1'), address('10.0.0.1')];
      const about = packetOf({ src: src!, dst: dst!, sport: 1, dport: 2, protocol, payloadLength });
      const { view, packet: now } = framed(about);
      const out = new Uint8Array(1300);
      const length = writeIcmpError(out, 0, view, packetTooBig(isV6, mtu), { source: dst!, ttl: 64, id: 1 });
      expect(length).toBe(
        Math.min(about.length + (isV6 ? 48 : 28), isV6 ? MAX_ERROR_BYTES.V6 : MAX_ERROR_BYTES.V4),
      );
      const icmp = isV6 ? 40 : 20;
      const pseudo = isV6 ? pseudoSum6(out, 0, 58, length - icmp) : 0;
      expect(isIntact(out, icmp, length - icmp, pseudo)).toBe(true);
      expect(isV6 || isIntact(out, 0, 20)).toBe(true);
      expect(now()).toEqual(about);
    }),
  );
});

/** Makes a fragment header of the extension header behind the fixed one. */
function laterFragment6(packet: Uint8Array): Uint8Array {
  packet[6] = 44;
  packet[41] = 0;
  setU16(packet, 42, 8);
  return packet;
}
