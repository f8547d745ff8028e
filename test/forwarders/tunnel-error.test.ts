import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PROTOCOL, TUNNEL_TYPE } from '../../src/core/config.ts';
import { setU32 } from '../../src/core/wire/bytes.ts';
import { checksumOf } from '../../src/core/wire/checksum.ts';
import { setIcmpChecksum } from '../../src/core/wire/icmp.ts';
import { encapsulate } from '../../src/forwarders/encapsulate.ts';
import { TUNNEL_FLAG, type Tunnel } from '../../src/forwarders/tunnel.ts';
import { TunnelError } from '../../src/forwarders/tunnel-error.ts';
import { address } from '../support/core.ts';
import { icmpPacketOf } from '../support/core-packets.ts';
import { framed, hex } from './packets.ts';

const { IPIP, GUE, GRE } = TUNNEL_TYPE;
const SERVER = address('10.2.1.1');
const FRAGMENTATION_NEEDED = 4;

const tunnel = (type: number, flags = 0): Tunnel => ({
  type,
  flags,
  port: 6080,
  source: address('10.2.0.254'),
  server: SERVER,
});

const TUNNELS = [
  { name: 'ipip', by: tunnel(IPIP), port: 0 },
  { name: 'gre', by: tunnel(GRE), port: 0 },
  { name: 'gre with checksum', by: tunnel(GRE, TUNNEL_FLAG.CSUM), port: 0 },
  { name: 'gue', by: tunnel(GUE), port: 6080 },
  { name: 'gue with checksum', by: tunnel(GUE, TUNNEL_FLAG.CSUM), port: 6080 },
  { name: 'gue with remote checksum', by: tunnel(GUE, TUNNEL_FLAG.REMCSUM), port: 6080, isPartial: true },
];

/** The client's packet, as it went into the tunnel. */
const INNER = '4500001f000140003f1127c90a0300010a00000107d10035000b216c616161';
const INNER_MAY_BE_CUT = '4500001f000100003f1167c90a0300010a00000107d10035000b216c616161';

describe.each(TUNNELS)('an error about a packet in $name', ({ by, port, isPartial = false }) => {
  test('tells server, port and the packet within', () => {
    const { error, isRead } = errorAbout(by, INNER, { isPartial });
    expect(isRead).toBe(true);
    expect(error.tunnelType).toBe(by.type);
    expect(error.server.words).toEqual(SERVER.words);
    expect(error.port).toBe(port);
    const { inner } = error;
    expect(inner.src.words[0]).toBe(address('10.3.0.1').words[0]);
    expect([inner.protocol, inner.sport, inner.dport]).toEqual([PROTOCOL.UDP, 2001, 53]);
    expect(error.reportedMtu).toBe(-1);
  });
});

describe('the answer to the client is as a Linux 6.1 kernel wrote it', () => {
  test.each([
    {
      name: 'port unreachable',
      type: 3,
      code: 3,
      rest: 0,
      head: '45c0003bab3600004001bac70a0000010a0300010303111e00000000',
    },
    {
      name: 'time exceeded',
      type: 11,
      code: 0,
      rest: 0,
      head: '45c0003bab6500004001ba980a0000010a0300010b00092100000000',
      inner: '4500001f000140003f1127c90a0300010a00000107d30035000b216a616161',
    },
    {
      name: 'time exceeded with something in its rest',
      type: 11,
      code: 1,
      rest: 0x04030201,
      head: '45c0003bae6600004001b7970a0000010a0300010b01031c04030201',
      inner: '4500001f000140003f1127c90a0300010a00000107f50035000b2148616161',
    },
    {
      name: 'source quench',
      type: 4,
      code: 0,
      rest: 0x07000000,
      head: '45c0003bad7500004001b8880a0000010a0300010400092107000000',
      inner: '4500001f000140003f1127c90a0300010a00000107ec0035000b2151616161',
    },
    {
      name: 'fragmentation needed',
      type: 3,
      code: FRAGMENTATION_NEEDED,
      rest: 1400,
      pathMtu: 1400,
      head: '45c0003b81c900004001e4340a0000010a03000103040bb900000564',
      inner: '4500001f000140003f1127c90a0300010a00000107d20035000b216b616161',
    },
    {
      name: 'a path that takes more than the report says',
      type: 3,
      code: FRAGMENTATION_NEEDED,
      rest: 500,
      pathMtu: 552,
      head: '45c0003b828a00004001e3730a0000010a03000103040f0900000214',
      inner: '4500001f000140003f1127c90a0300010a00000107d80035000b2165616161',
    },
    {
      name: 'a path of 89 bytes',
      type: 3,
      code: FRAGMENTATION_NEEDED,
      rest: 89,
      pathMtu: 89,
      head: '45c0003b849100004001e16c0a0000010a030001030410d800000045',
      inner: '4500001f000140003f1127c90a0300010a00000107df0035000b215e616161',
    },
    {
      name: 'a path of 88 bytes',
      type: 3,
      code: FRAGMENTATION_NEEDED,
      rest: 88,
      pathMtu: 88,
      head: '45c0003b850d00004001e0f00a0000010a030001030410c500000058',
      inner: '4500001f000140003f1127c90a0300010a00000107e00035000b215d616161',
    },
  ])('$name', ({ type, code, rest, head, pathMtu = 1500, inner = INNER }) => {
    const { error } = errorAbout(tunnel(GRE), inner, { type, code, rest });
    const out = new Uint8Array(600);
    const expected = hex(head + inner);
    const length = error.writeAnswer(out, 2, pathMtu, 64, (expected[4]! << 8) | expected[5]!);
    expect(out.slice(2, 2 + length)).toEqual(expected);
  });

  test('no packet that may be cut is reported as too long', () => {
    const { error, isRead } = errorAbout(tunnel(IPIP), INNER_MAY_BE_CUT, {
      type: 3,
      code: FRAGMENTATION_NEEDED,
      rest: 1400,
    });
    expect(isRead).toBe(true);
    expect(error.reportedMtu).toBe(1400);
    expect(error.writeAnswer(new Uint8Array(600), 0, 1400, 64, 1)).toBe(0);
  });

  test.each([
    { quoted: 40, answer: 0 },
    { quoted: 43, answer: 0 },
    { quoted: 44, answer: 52 },
    { quoted: 48, answer: 56 },
  ])('of $quoted quoted bytes, $answer are answered', ({ quoted, answer }) => {
    const { error, isRead } = errorAbout(tunnel(IPIP), INNER, { quoted });
    expect(isRead).toBe(answer > 0);
    if (isRead) expect(error.writeAnswer(new Uint8Array(600), 0, 1500, 64, 1)).toBe(answer);
  });
});

describe('not taken for an error about a tunnel', () => {
  const wire = (by: Tunnel): Uint8Array => wireOf(by, INNER, false);
  const changed = (packet: Uint8Array, at: number, value: number): Uint8Array => {
    packet[at] = value;
    return packet;
  };

  test.each([
    { name: 'parameter problem', packet: errorPacket(wire(tunnel(IPIP)), 12, 0, 0) },
    { name: 'redirect', packet: errorPacket(wire(tunnel(IPIP)), 5, 1, 0) },
    { name: 'a wrong ICMP checksum', packet: changed(errorPacket(wire(tunnel(IPIP)), 3, 3, 0), 22, 0x77) },
    {
      name: 'a later fragment of a tunnel packet',
      packet: errorPacket(changed(wire(tunnel(IPIP)), 7, 1), 3, 3, 0),
    },
    {
      name: 'a later fragment in a tunnel',
      packet: errorPacket(changed(wire(tunnel(IPIP)), 27, 1), 3, 3, 0),
    },
    { name: 'a gre key', packet: errorPacket(changed(wire(tunnel(GRE)), 20, 0x20), 3, 3, 0) },
    { name: 'IPv6 in gre', packet: errorPacket(changed(wire(tunnel(GRE)), 22, 0x86), 3, 3, 0) },
    { name: 'a gue control message', packet: errorPacket(changed(wire(tunnel(GUE)), 28, 0x20), 3, 3, 0) },
    { name: 'gue version 1', packet: errorPacket(changed(wire(tunnel(GUE)), 28, 0x45), 3, 3, 0) },
    { name: 'IPv6 in gue', packet: errorPacket(changed(wire(tunnel(GUE)), 29, 41), 3, 3, 0) },
    {
      name: 'more gue words than there are',
      packet: errorPacket(changed(wire(tunnel(GUE)), 28, 31), 3, 3, 0),
    },
    { name: 'another protocol', packet: errorPacket(hex(INNER), 3, 3, 0) },
    { name: 'no ICMP message', packet: hex(INNER) },
  ])('$name', ({ packet }) => {
    expect(new TunnelError().read(framed(packet).view)).toBe(false);
  });
});

test('no bytes make it throw, or write outside its answer', () => {
  const quoted = fc.record({
    bytes: fc.uint8Array({ minLength: 20, maxLength: 120 }),
    protocol: fc.constantFrom(4, 17, 47),
    inner: fc.constantFrom(20, 24, 28, 32, 40),
  });
  fc.assert(
    fc.property(quoted, ({ bytes, protocol, inner }) => {
      bytes.set([0x45], 0);
      bytes.set([0, 0, 9], 6);
      bytes[9] = protocol;
      if (bytes.length > inner) bytes[inner] = 0x45;
      const { view, isContained } = framed(errorPacket(bytes, 3, 4, 1400));
      const error = new TunnelError();
      if (!error.read(view)) return;
      const out = new Uint8Array(700).fill(0xa5);
      const length = error.writeAnswer(out, 20, 1400, 64, 1);
      expect(out.every((byte, i) => byte === 0xa5 || (i >= 20 && i < 20 + length))).toBe(true);
      expect(isContained()).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

interface ErrorOptions {
  readonly type?: number;
  readonly code?: number;
  readonly rest?: number;
  /** How many bytes of the tunnel packet are quoted. */
  readonly quoted?: number;
  readonly isPartial?: boolean;
}

function errorAbout(by: Tunnel, inner: string, options: ErrorOptions) {
  const { type = 3, code = 3, rest = 0, quoted, isPartial = false } = options;
  const { view } = framed(errorPacket(wireOf(by, inner, isPartial).slice(0, quoted), type, code, rest));
  const error = new TunnelError();
  return { error, isRead: error.read(view) };
}

function wireOf(by: Tunnel, inner: string, isPartial: boolean): Uint8Array {
  const { view, from } = framed(hex(inner));
  return from(encapsulate(view, by, 1, true, isPartial));
}

/** An ICMP error from a server to the director. */
function errorPacket(quoted: Uint8Array, type: number, code: number, rest: number): Uint8Array {
  const packet = icmpPacketOf({ src: SERVER, dst: address('10.2.0.254') }, type, code, quoted);
  setU32(packet, 24, rest);
  setIcmpChecksum(packet, 20, 0);
  setIcmpChecksum(packet, 20, checksumOf(packet, 20, packet.length - 20));
  return packet;
}
