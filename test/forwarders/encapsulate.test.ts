import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PROTOCOL, TUNNEL_TYPE } from '../../src/core/config.ts';
import { setU16, u16 } from '../../src/core/wire/bytes.ts';
import { isIntact } from '../../src/core/wire/checksum.ts';
import { encapsulate, MAX_TUNNEL_OVERHEAD } from '../../src/forwarders/encapsulate.ts';
import { TUNNEL_FLAG, type Tunnel, tunnelOverhead } from '../../src/forwarders/tunnel.ts';
import { address } from '../support/core.ts';
import { bytesPerCall } from '../support/core-memory.ts';
import { packetOf } from '../support/core-packets.ts';
import { type Framed, framed, hex, identification, MARGIN, resealed, unfinished } from './packets.ts';

const { IPIP, GUE, GRE } = TUNNEL_TYPE;
const { CSUM, REMCSUM } = TUNNEL_FLAG;

const OUTER4 = { source: address('10.2.0.254'), server: address('10.2.1.1') };
const OUTER6 = { source: address('fd00:2::fe'), server: address('fd00:2::1') };

const tunnel = (type: number, flags = 0, outer = OUTER4, port = 6080): Tunnel => ({
  type,
  flags,
  port,
  ...outer,
});

describe('a packet in a tunnel is as a Linux 6.1 kernel sent it', () => {
  test.each([
    {
      name: 'ipip, ECT(1)',
      by: tunnel(IPIP),
      sent: '45b9003323ba00003f0442510a0000010a02010145b9001f000100003f1167100a0300010a00000103eb0035000b2351616263',
    },
    {
      name: 'ipip, congestion experienced',
      by: tunnel(IPIP),
      sent: '45ba003323c600003f0442440a0000010a02010145bb001f000100003f11670e0a0300010a00000103ef0035000b234d616263',
    },
    {
      name: 'ipip, DF',
      by: tunnel(IPIP),
      sent: '45000033000040003f0426c40a0000010a0201014500001f000140003f1127c90a0300010a00000103f10035000b234b616263',
    },
    {
      name: 'ipip, options',
      by: tunnel(IPIP),
      sent: '4500003723ef00003f0442d10a0000010a02010146000023000100003f1164c30a0300010a0000010101010103f20035000b234a616263',
    },
    {
      name: 'IPv6 in IPv4, congestion experienced',
      by: tunnel(IPIP),
      sent: '45ba00478fea000008290ce70a0000010a0201016bb54321000b1108fd000001000000000000000000000001fd00000000000000000000000000000103f00035000b3d4c616263',
    },
    {
      name: 'IPv4 in IPv6, ECT(0)',
      by: tunnel(IPIP, 0, OUTER6),
      sent: '6ba00000001f043ffd0000020000000000000000000000fefd00000200000000000000000000000145ba001f000100003f11670f0a0300010a00000104010035000b233b616263',
    },
    {
      name: 'IPv6 in IPv6, congestion experienced',
      by: tunnel(IPIP, 0, OUTER6),
      sent: '6ba0000000332908fd0000020000000000000000000000fefd0000020000000000000000000000016bb54321000b1108fd000001000000000000000000000001fd00000000000000000000000000000104040035000b3d38616263',
    },
    {
      name: 'gre',
      by: tunnel(GRE),
      sent: '45000037c0d400003f2fa5c00a0000010a020101000008004500001f000100003f1167c90a0300010a00000103f30035000b2349616263',
    },
    {
      name: 'gre, IPv6 in IPv4',
      by: tunnel(GRE),
      sent: '4500004bc0e400003f2fa59c0a0000010a020101000086dd60000000000b113ffd000001000000000000000000000001fd00000000000000000000000000000103f40035000b3d48616263',
    },
    {
      name: 'gre, IPv4 in IPv6',
      by: tunnel(GRE, 0, OUTER6),
      sent: '6000000000232f3ffd0000020000000000000000000000fefd000002000000000000000000000001000008004500001f000100003f1167c90a0300010a00000104070035000b2335616263',
    },
    {
      name: 'gre with a checksum (recorded before a network card made it)',
      by: tunnel(GRE, CSUM),
      unmade: 24,
      sent: '4500003bc0f800003f2fa5980a0000010a02010180000800000000004500001f000100003f1167c90a0300010a00000103f50035000b2347616263',
    },
    {
      name: 'gre with a checksum, IPv6 in IPv6 (recorded before a network card made it)',
      by: tunnel(GRE, CSUM, OUTER6),
      unmade: 44,
      sent: '60000000003b2f3ffd0000020000000000000000000000fefd000002000000000000000000000001800086dd0000000060000000000b113ffd000001000000000000000000000001fd000000000000000000000000000001040a0035000b3d32616263',
    },
    {
      name: 'gue',
      by: tunnel(GUE),
      sent: '4500003f8ae600003f11dbc40a0000010a020101992517c0002b0000000400004500001f000100003f1167c90a0300010a00000103f70035000b2345616263',
    },
    {
      name: 'gue, IPv6 in IPv6',
      by: tunnel(GUE, 0, OUTER6),
      sent: '60000000003f113ffd0000020000000000000000000000fefd000002000000000000000000000001a4a817c0003f00000029000060000000000b113ffd000001000000000000000000000001fd000000000000000000000000000001040c0035000b3d30616263',
    },
    {
      name: 'gue with a checksum (recorded before a network card finished it)',
      by: tunnel(GUE, CSUM),
      unmade: 26,
      sent: '4500003f8b2c00003f11db7e0a0000010a020101aa5817c0002b1540000400004500001f000100003f1167c90a0300010a00000103f90035000b2343616263',
    },
    {
      name: 'gue with a remote checksum, which a finished packet does not need',
      by: tunnel(GUE, REMCSUM, OUTER6),
      unmade: 46,
      sent: '60000000003f113ffd0000020000000000000000000000fefd000002000000000000000000000001e75a17c0003ffb540029000060000000000b113ffd000001000000000000000000000001fd00000000000000000000000000000104100035000b3d2c616263',
    },
  ])('$name', ({ by, sent, unmade }) => {
    const expected = hex(sent);
    const overhead = tunnelOverhead(by, by.server === OUTER6.server, false);
    // The VIP was the director's address on the way to 10.2.1.1.
    const at = { ...by, source: by.server === OUTER6.server ? by.source : address('10.0.0.1') };
    const { view, isContained, from } = framed(expected.slice(overhead));
    // With DF the identification that is given is not used.
    const outer = encapsulate(view, at, identification(expected) || 7, true, false);
    expect(outer).toBe(MARGIN - overhead);
    const wire = from(outer);
    expect(isOuterSound(wire, by)).toBe(true);
    if (unmade !== undefined) expected.set(wire.subarray(unmade, unmade + 2), unmade);
    forgetSourcePort(wire, expected, by);
    expect(wire).toEqual(expected);
    expect(isContained(overhead)).toBe(true);
  });

  const datagram =
    '450000303bc040003f11ebfa0a0100010a0000011b5b0035001c1430' + '3030313078787878787878787878787878787878';

  test.each([
    {
      name: 'gue with a checksum',
      by: tunnel(GUE, CSUM, { source: address('10.2.0.254'), server: address('10.2.0.5') }),
      inner:
        '45000030d60540003f1151b50a0100010a0000011b5e0035001c14303030313078787878787878787878787878787878',
      checksum: { at: 26, is: 0x2f0a },
      sourcePort: 0xb7d1,
    },
    {
      name: 'gre with a checksum',
      by: tunnel(GRE, CSUM, { source: address('10.2.0.254'), server: address('10.2.0.4') }),
      inner:
        '45000030562340003f11d1970a0100010a0000011b600035001c14303030313078787878787878787878787878787878',
      checksum: { at: 24, is: 0x8c2f },
    },
  ])(
    '$name, over a packet whose own is unfinished: it is made over the finished one',
    ({ by, inner, checksum, sourcePort }) => {
      const { view, from } = framed(hex(inner));
      const wire = from(encapsulate(view, by, 0, true, true));
      expect(from(MARGIN)).toEqual(resealed(hex(inner)));
      // The sum has the source port in it, which is the kernel's choice.
      const own = sourcePort === undefined ? 0 : u16(wire, 20) - sourcePort;
      const grown = checksum.is - u16(wire, checksum.at);
      expect((grown - own) % 0xffff).toBe(0);
    },
  );

  test('gue leaves an unfinished checksum to the server if told so', () => {
    const by = tunnel(GUE, REMCSUM, { source: address('10.2.0.254'), server: address('10.2.0.5') });
    // The receiver's unwrapping had changed the outer length where it was recorded; the header's sum tells the first one.
    const sent =
      '45000058000040003f11268f0a0200fe0a020005b72a17c00044155c02040001800000000014001a45000030e1f340003f1145c70a0100010a0000011b5f0035001c14303030313078787878787878787878787878787878';
    const expected = hex(sent);
    const { view, from } = framed(expected.slice(40));
    const outer = encapsulate(view, by, 0, true, true);
    const wire = from(outer);
    expect(MARGIN - outer).toBe(tunnelOverhead(by, false, true));
    expect(isOuterSound(wire, by)).toBe(true);
    forgetSourcePort(wire, expected, by);
    expected.set(wire.subarray(26, 28), 26);
    expect(wire).toEqual(expected);
  });

  test('without path MTU discovery the outer header has an identification and no DF', () => {
    const { view, from } = framed(hex(datagram));
    const outer = encapsulate(view, tunnel(IPIP), 0x2d3d, false, true);
    expect(from(outer).slice(4, 8)).toEqual(hex('2d3d0000'));
  });
});

// "mtu" of the kernel's answers to packets that were too long for a path of 1500 bytes.
test.each([
  { name: 'ipip', by: tunnel(IPIP), mtu4: 1480, mtu6: 1460 },
  { name: 'gre', by: tunnel(GRE), mtu4: 1476, mtu6: 1456 },
  { name: 'gre with checksum', by: tunnel(GRE, CSUM), mtu4: 1472, mtu6: 1452 },
  { name: 'gue', by: tunnel(GUE), mtu4: 1468, mtu6: 1448 },
  { name: 'gue with checksum', by: tunnel(GUE, CSUM), mtu4: 1468, mtu6: 1448 },
  { name: 'gue with remote checksum', by: tunnel(GUE, REMCSUM), mtu4: 1468, mtu6: 1448 },
])('$name leaves $mtu4 bytes of a path in IPv4, $mtu6 in IPv6', ({ by, mtu4, mtu6 }) => {
  expect(1500 - tunnelOverhead(by, false, false)).toBe(mtu4);
  expect(1500 - tunnelOverhead(by, true, false)).toBe(mtu6);
});

const anyTunnel = fc.record({
  type: fc.constantFrom(IPIP, GUE, GRE),
  flags: fc.constantFrom(0, CSUM, REMCSUM, CSUM | REMCSUM),
  isOuterV6: fc.boolean(),
  isInnerV6: fc.boolean(),
  protocol: fc.constantFrom(PROTOCOL.TCP, PROTOCOL.UDP, PROTOCOL.SCTP),
  payloadLength: fc.nat(700),
  isPartial: fc.boolean(),
});

test('outer headers are sound, the packet inside is the finished one, and no more than the overhead is written', () => {
  fc.assert(
    fc.property(anyTunnel, ({ isOuterV6, isInnerV6, isPartial, type, flags, ...rest }) => {
      const by = tunnel(type, flags, isOuterV6 ? OUTER6 : OUTER4);
      const finished = packetOf({ ...rest, ...ends(isInnerV6) });
      const isOpen = isPartial && rest.protocol !== PROTOCOL.SCTP;
      const { view, isContained, from } = framed(isOpen ? unfinished(finished) : finished);
      const outer = encapsulate(view, by, 7, true, isPartial);
      const overhead = tunnelOverhead(by, isOuterV6, isOpen);
      expect(MARGIN - outer).toBe(overhead);
      expect(isContained(overhead)).toBe(true);
      expect(isOuterSound(from(outer), by)).toBe(true);
      const leaves = isOpen && type === GUE && (flags & REMCSUM) !== 0;
      expect(from(MARGIN)).toEqual(leaves ? unfinished(finished) : finished);
    }),
  );
});

test('a packet is not put in a tunnel without room before it, or if it would be too long', () => {
  const packet = packetOf({ ...ends(false), protocol: PROTOCOL.UDP });
  const by = tunnel(IPIP);
  const tight = framed(packet);
  tight.view.read(packet, 0, packet.length, false);
  expect(encapsulate(tight.view, by, 1, true, false)).toBe(-1);

  const long = packetOf({ ...ends(false), protocol: PROTOCOL.UDP, payloadLength: 65_535 - 28 - 20 });
  expect(encapsulate(framed(long).view, by, 1, true, false)).toBe(MARGIN - 20);
  const longer = packetOf({ ...ends(false), protocol: PROTOCOL.UDP, payloadLength: 65_535 - 28 - 19 });
  const { view, isContained, packet: now } = framed(longer);
  expect(encapsulate(view, by, 1, true, false)).toBe(-1);
  expect(isContained()).toBe(true);
  expect(now()).toEqual(longer);
});

test('no tunnel takes more room than it says', () => {
  const most = tunnelOverhead(tunnel(GUE, REMCSUM), true, true);
  expect(most).toBe(MAX_TUNNEL_OVERHEAD);
  expect(MAX_TUNNEL_OVERHEAD).toBeLessThanOrEqual(80);
});

test('gue gives a flow one source port, and flows many, all in the range of the kernel', () => {
  const portOf = (sport: number, payloadLength: number): number => {
    const { view, from } = framed(packetOf({ ...ends(false), sport, protocol: PROTOCOL.UDP, payloadLength }));
    return u16(from(encapsulate(view, tunnel(GUE), 1, true, false)), 20);
  };
  const ports = Array.from({ length: 1000 }, (_, i) => portOf(i, 0));
  expect(Math.min(...ports)).toBeGreaterThanOrEqual(32_768);
  expect(Math.max(...ports)).toBeLessThan(60_999);
  expect(new Set(ports).size).toBeGreaterThan(900);
  expect(portOf(5, 100)).toBe(ports[5]);
});

test.each([
  { name: 'ipip', by: tunnel(IPIP) },
  { name: 'gue in IPv6', by: tunnel(GUE, 0, OUTER6) },
])('$name leaves nothing on the heap', ({ by }) => {
  const { view } = framed(packetOf({ ...ends(false), protocol: PROTOCOL.TCP, payloadLength: 40 }));
  expect(bytesPerCall(() => void encapsulate(view, by, 1, true, false))).toBeLessThan(4);
});

function ends(isV6: boolean) {
  return isV6
    ? { src: address('fd00:1::1'), sport: 1000, dst: address('fd00::1'), dport: 53 }
    : { src: address('10.1.0.1'), sport: 1000, dst: address('10.0.0.1'), dport: 53 };
}

/** Makes the source port of gue, the sender's choice, that of the recorded packet. */
function forgetSourcePort(wire: Uint8Array, recorded: Uint8Array, by: Tunnel): void {
  if (by.type !== GUE) return;
  const udp = by.server === OUTER6.server ? 40 : 20;
  setU16(wire, udp, u16(recorded, udp));
}

/** Whether the sums of the outer headers are right; the inner one of an unfinished packet does not matter for them. */
function isOuterSound(wire: Uint8Array, by: Tunnel): boolean {
  const isV6 = by.server === OUTER6.server;
  const transport = isV6 ? 40 : 20;
  if (!isV6 && !isIntact(wire, 0, 20)) return false;
  if (by.type === GRE)
    return (wire[transport]! & 0x80) === 0 || isIntact(wire, transport, wire.length - transport);
  if (by.type !== GUE) return true;
  if (by.flags === 0) return u16(wire, transport + 6) === 0;
  const outer: Framed = framed(wire);
  return u16(wire, transport + 6) !== 0 && Buffer.from(resealed(outer.packet())).equals(wire);
}
