import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Address,
  AF_INET,
  AF_INET6,
  addressFromBytes,
  formatAddress,
} from '../../../../src/core/address.ts';
import type { Endpoint } from '../../../../src/net/packet/capture-list.ts';
import type { CaptureWish } from '../../../../src/net/packet/host-state/capture-sets.ts';
import { CONTEXT, captureCode, HELPER, TCX_NEXT } from '../../../../src/net/packet/tcx/capture-code.ts';
import { captureEntries } from '../../../../src/net/packet/tcx/capture-map.ts';
import { BASE, BpfMachine } from '../../../support/bpf-machine.ts';
import { address } from '../../../support/core.ts';
import { packetOf } from '../../../support/core-packets.ts';

const TCP = 6;
const UDP = 17;
const SCTP = 132;
const DEVICE = 42;
const REDIRECTED = 7;
const ETHERNET_BYTES = 14;

/** What a packet is to the device that it comes in by. */
interface Frame {
  readonly bytes: Uint8Array;
  /** The protocol that the host has read; the one in the header if not given. */
  readonly protocol?: readonly [number, number];
  /** 0: to this host. */
  readonly type?: number;
  readonly vlan?: number;
  readonly gsoSize?: number;
  /** Bytes that the program can see without a call. */
  readonly seen?: number;
}

function endpoint(protocol: number, text: string, port: number): Endpoint {
  const addr = address(text);
  return { family: addr.family, protocol, addr, port };
}

const WISH: CaptureWish = {
  virtual: [
    endpoint(TCP, '10.0.0.100', 80),
    endpoint(UDP, '10.0.0.100', 0),
    endpoint(TCP, 'fd00::100', 80),
    endpoint(SCTP, '10.9.0.1', 36412),
  ],
  servers: [endpoint(TCP, '10.1.0.2', 8080), endpoint(UDP, '10.1.0.2', 0), endpoint(TCP, 'fd01::2', 8080)],
  marks: [],
};
const OWN = ['10.0.0.1', '10.0.0.100', 'fd00::1', 'fd00::100'].map(address);
const ENTRIES = captureEntries(WISH, [AF_INET, AF_INET6], OWN);

/** @returns what the program does with a packet, which is left as long as the host would have it */
function run(frame: Frame, entries = ENTRIES): { taken: boolean; lengthBytes: number } {
  const { bytes, type = 0, vlan = 0, gsoSize = 0, seen = bytes.length } = frame;
  const context = new Uint8Array(192);
  const view = new DataView(context.buffer);
  view.setUint32(CONTEXT.LENGTH, bytes.length, true);
  view.setUint32(CONTEXT.TYPE, type, true);
  view.setUint32(CONTEXT.VLAN_PRESENT, vlan, true);
  view.setUint32(CONTEXT.GSO_SIZE, gsoSize, true);
  view.setUint32(CONTEXT.DATA, Number(BASE.PACKET), true);
  view.setUint32(CONTEXT.DATA_END, Number(BASE.PACKET) + seen, true);
  context.set(frame.protocol ?? bytes.subarray(12, 14), CONTEXT.PROTOCOL);
  let lengthBytes = bytes.length;
  const machine = new BpfMachine(captureCode(9, DEVICE), {
    [HELPER.LOOK_UP]: (self, [map, key]) => {
      expect(map).toBe(9n);
      const value = entries.get(String.fromCharCode(...self.bytes(key!, 20)));
      if (value === undefined) return 0n;
      self.map(BASE.VALUE, new Uint8Array([value, 0, 0, 0]));
      return BASE.VALUE;
    },
    [HELPER.CHANGE_TAIL]: (_, [skb, length]) => {
      expect(skb).toBe(BASE.CONTEXT);
      lengthBytes = Number(length);
      return 0n;
    },
    [HELPER.REDIRECT]: (_, [device, flags]) => {
      expect([device, flags]).toEqual([BigInt(DEVICE), 0n]);
      return BigInt(REDIRECTED);
    },
  });
  machine.map(BASE.CONTEXT, context);
  machine.map(BASE.PACKET, bytes.subarray(0, seen));
  const result = machine.run();
  expect([TCX_NEXT, REDIRECTED]).toContain(result);
  return { taken: result === REDIRECTED, lengthBytes };
}

/** The same in plain words: what is to be taken of which wish. @returns the frame's length then, -1 if it is left */
function expected({ bytes, type = 0, vlan = 0, gsoSize = 0, seen = bytes.length }: Frame): number {
  const b = Buffer.from(bytes.subarray(0, seen));
  if (type !== 0 || vlan !== 0) return -1;
  const ip = b.subarray(ETHERNET_BYTES);
  const isV4 = bytes[12] === 0x08 && bytes[13] === 0x00;
  const isV6 = bytes[12] === 0x86 && bytes[13] === 0xdd;
  if (!isV4 && !isV6) return -1;
  const head = isV4 ? 20 : 40;
  if (ip.length < head + 4 || ip[0]! >> 4 !== (isV4 ? 4 : 6)) return -1;
  if (isV4) {
    if ((ip[0]! & 15) !== 5 || (ip.readUInt16BE(6) & 0x3fff) !== 0) return -1;
    let sum = 0;
    for (let at = 0; at < head; at += 2) sum += ip.readUInt16BE(at);
    if (sum === 0 || sum % 0xffff !== 0) return -1;
  }
  const total = isV4 ? ip.readUInt16BE(2) : head + ip.readUInt16BE(4);
  if (total < head + 8 || total > bytes.length - ETHERNET_BYTES) return -1;
  if (ip[isV4 ? 8 : 7] === 0) return -1;
  const protocol = ip[isV4 ? 9 : 6]!;
  if (![TCP, UDP, SCTP].includes(protocol)) return -1;
  const read = (at: number): Address => addressFromBytes(isV4 ? AF_INET : AF_INET6, ip, at);
  const [src, dst] = isV4 ? [read(12), read(16)] : [read(8), read(24)];
  for (const first of isV4 ? [ip[12]!, ip[16]!] : [ip[8]!, ip[24]!]) {
    if (first === 0 || (isV4 ? first === 127 || first >= 224 : first >= 0xfe)) return -1;
  }
  const [sport, dport] = [ip.readUInt16BE(head), ip.readUInt16BE(head + 2)];
  if (isOwn(src)) return -1;
  const isVirtual = has(WISH.virtual, protocol, dst, dport);
  const isReply = !isOwn(dst) && has(WISH.servers, protocol, src, sport);
  if (!isVirtual && !isReply) return -1;
  const length = ETHERNET_BYTES + total;
  return length !== bytes.length && gsoSize !== 0 ? -1 : length;
}

const isOwn = (addr: Address): boolean => OWN.some((own) => same(own, addr));
const same = (a: Address, b: Address): boolean => formatAddress(a) === formatAddress(b);
const has = (all: readonly Endpoint[], protocol: number, addr: Address, port: number): boolean =>
  all.some(
    (each) => each.protocol === protocol && same(each.addr, addr) && (each.port === port || each.port === 0),
  );

function frameOf(packet: Uint8Array, padding = 0): Uint8Array {
  const bytes = new Uint8Array(ETHERNET_BYTES + packet.length + padding);
  bytes.set(packet[0]! >> 4 === 4 ? [0x08, 0x00] : [0x86, 0xdd], 12);
  bytes.set(packet, ETHERNET_BYTES);
  return bytes;
}

/** With a tag of a virtual network before the protocol. */
const tagged = (bytes: Uint8Array): Uint8Array =>
  Uint8Array.of(...bytes.subarray(0, 12), 0x81, 0x00, 0x45, 0x00, ...bytes.subarray(12));

/** With a tag's number in place of the protocol. */
const retyped = (bytes: Uint8Array): Uint8Array =>
  Uint8Array.of(...bytes.subarray(0, 12), 0x81, 0x00, ...bytes.subarray(ETHERNET_BYTES));

interface Ends {
  readonly protocol?: number;
  readonly from: readonly [string, number];
  readonly to: readonly [string, number];
}

function packet({ protocol = TCP, from, to }: Ends): Uint8Array {
  return packetOf({
    protocol,
    src: address(from[0]),
    sport: from[1],
    dst: address(to[0]),
    dport: to[1],
  });
}

describe('the program', () => {
  const client = ['192.0.2.1', 4000] as const;
  const client6 = ['2001:db8::1', 4000] as const;

  test.each<[string, boolean, Ends]>([
    ['a packet to a service', true, { from: client, to: ['10.0.0.100', 80] }],
    ['a packet to another port', false, { from: client, to: ['10.0.0.100', 81] }],
    ['a packet to a service for all ports', true, { protocol: UDP, from: client, to: ['10.0.0.100', 9] }],
    ['a packet to a service of IPv6', true, { from: client6, to: ['fd00::100', 80] }],
    ['a packet of SCTP', true, { protocol: SCTP, from: client, to: ['10.9.0.1', 36412] }],
    ['a reply', true, { from: ['10.1.0.2', 8080], to: client }],
    ['a reply of IPv6', true, { from: ['fd01::2', 8080], to: client6 }],
    ['a packet from another port of a server', false, { from: ['10.1.0.2', 22], to: client }],
    ['a reply to a health check', false, { from: ['10.1.0.2', 8080], to: ['10.0.0.1', 4000] }],
    ['a reply to an own virtual address', false, { from: ['10.1.0.2', 8080], to: ['10.0.0.100', 4000] }],
    ['a server that is a client', true, { from: ['10.1.0.2', 8080], to: ['10.0.0.100', 80] }],
    ['a packet from an own address', false, { from: ['10.0.0.1', 4000], to: ['10.0.0.100', 80] }],
    ['a packet from loopback', false, { from: ['127.0.0.1', 4000], to: ['10.0.0.100', 80] }],
    ['a packet from a link-local address', false, { from: ['fe80::1', 4000], to: ['fd00::100', 80] }],
    ['a packet that is none of these', false, { from: client, to: ['192.0.2.2', 80] }],
  ])('%s is taken: %s', (_, taken, ends) => {
    expect(run({ bytes: frameOf(packet(ends)) }).taken).toBe(taken);
  });

  const toService = packet({ from: client, to: ['10.0.0.100', 80] });

  test('cuts padding off', () => {
    expect(run({ bytes: frameOf(toService, 6) })).toEqual({
      taken: true,
      lengthBytes: ETHERNET_BYTES + toService.length,
    });
  });

  test.each<[string, Frame]>([
    ['for another host', { bytes: frameOf(toService), type: 3 }],
    ['of a virtual network', { bytes: frameOf(toService), vlan: 1 }],
    ['with a tag in the header', { bytes: tagged(frameOf(toService)), protocol: [0x08, 0x00] }],
    ['with a tag that looks like a header', { bytes: retyped(frameOf(toService)), protocol: [0x08, 0x00] }],
    ['whose length is unclear', { bytes: frameOf(toService, 6), gsoSize: 1400 }],
    ['whose header cannot all be seen', { bytes: frameOf(toService), seen: 37 }],
  ])('leaves packets %s', (_, frame) => {
    expect(run(frame).taken).toBe(false);
  });

  test('leaves fragments and options', () => {
    const ends = { protocol: TCP, src: address(client[0]), sport: 1, dst: address('10.0.0.100'), dport: 80 };
    expect(run({ bytes: frameOf(packetOf(ends)) }).taken).toBe(true);
    for (const extras of [{ fragment: 0x2000 }, { fragment: 5 }, { optionBytes: 4 }])
      expect(run({ bytes: frameOf(packetOf(ends, extras)) }).taken).toBe(false);
    expect(run({ bytes: frameOf(packetOf(ends, { fragment: 0x4000 })) }).taken).toBe(true);
  });

  test('takes nothing of a family that has firewall marks', () => {
    const marks = [{ family: AF_INET as typeof AF_INET, fwmark: 1 }];
    const entries = captureEntries({ ...WISH, marks }, [AF_INET, AF_INET6], OWN);
    expect(run({ bytes: frameOf(toService) }, entries).taken).toBe(false);
    const toV6 = packet({ from: client6, to: ['fd00::100', 80] });
    expect(run({ bytes: frameOf(toV6) }, entries).taken).toBe(true);
  });

  test('does with any packet what its twin says, and reads nothing outside of it', () => {
    const often = <T>(usual: T, other: fc.Arbitrary<T>): fc.Arbitrary<T> =>
      fc.oneof({ weight: 9, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: other });
    const addresses = {
      v4: ['10.0.0.1', '10.0.0.100', '10.9.0.1', '10.1.0.2', '192.0.2.1', '224.0.0.1', '0.0.0.1'],
      v6: ['fd00::1', 'fd00::100', 'fd01::2', '2001:db8::1', 'fe80::1', 'ff02::1', '::1'],
    };
    const ports = fc.constantFrom(0, 80, 8080, 36412, 4000);
    const wanted = fc.constantFrom<Ends>(
      { protocol: TCP, from: client, to: ['10.0.0.100', 80] },
      { protocol: UDP, from: client, to: ['10.0.0.100', 53] },
      { protocol: TCP, from: client6, to: ['fd00::100', 80] },
      { protocol: UDP, from: ['10.1.0.2', 53], to: client },
      { protocol: TCP, from: ['fd01::2', 8080], to: client6 },
    );
    const any = fc.constantFrom('v4' as const, 'v6' as const).chain((family) => {
      const end = fc.tuple(fc.constantFrom(...addresses[family]), ports);
      return fc.record({ from: end, to: end, protocol: fc.constantFrom(TCP, TCP, UDP, SCTP) });
    });
    const frame = fc
      .record({
        ends: fc.oneof(wanted, any),
        padding: often(0, fc.nat(8)),
        type: often(0, fc.nat(4)),
        vlan: often(0, fc.constant(1)),
        gsoSize: often(0, fc.constant(1400)),
        changes: often([], fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 3 })),
        cut: often(999, fc.nat(80)),
        seen: often(999, fc.nat(80)),
      })
      .map(({ ends: each, padding, changes, cut, seen, ...rest }) => {
        const bytes = frameOf(packet(each), padding).slice(0, Math.max(cut, ETHERNET_BYTES));
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        return { bytes, seen: Math.min(seen, bytes.length), ...rest };
      });
    let taken = 0;
    fc.assert(
      fc.property(frame, (each) => {
        const length = expected(each);
        expect(run(each)).toEqual(
          length < 0
            ? { taken: false, lengthBytes: each.bytes.length }
            : { taken: true, lengthBytes: length },
        );
        if (length >= 0) taken++;
      }),
      { numRuns: 3000 },
    );
    expect(taken).toBeGreaterThan(300);
  });
});
