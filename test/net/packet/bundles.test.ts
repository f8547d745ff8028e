import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { PROTOCOL } from '../../../src/core/config.ts';
import { PacketView } from '../../../src/core/packet-view.ts';
import { setU16, u16 } from '../../../src/core/wire/bytes.ts';
import { sealIpv4 } from '../../../src/core/wire/ipv4.ts';
import { BUNDLE } from '../../../src/forwarders/bundle.ts';
import { SuperPacket } from '../../../src/forwarders/segment.ts';
import {
  clearVnetHeader,
  emitVnetHeader,
  VNET_GSO,
  vnetGsoSize,
  vnetGsoType,
} from '../../../src/forwarders/vnet-header.ts';
import { native } from '../../../src/net/ffi/native.ts';
import { BUNDLES_BYTES, Bundles } from '../../../src/net/packet/bundles.ts';
import { HEADROOM, SLOT_BYTES, VNET_BYTES } from '../../../src/net/packet/drain.ts';
import { unfinished } from '../../forwarders/packets.ts';
import { address } from '../../support/core.ts';
import { packetOf } from '../../support/core-packets.ts';

const SLOTS = 100;
const VECTORS_AT = SLOTS * SLOT_BYTES;
const DF = 0x4000;
const NEEDS_CSUM = 1;
const DATA_VALID = 2;
const UNFINISHED = {
  needsChecksum: true,
  gsoType: VNET_GSO.NONE,
  headerLength: 0,
  gsoSize: 0,
  checksumOffset: 6,
} as const;

const memory = native().arena(VECTORS_AT + BUNDLES_BYTES);
let bundles: Bundles;
let slot = 0;

beforeEach(() => {
  bundles = new Bundles(memory, VECTORS_AT);
  slot = 0;
});

interface Datagram {
  readonly isV6: boolean;
  readonly flow: number;
  readonly size: number;
}

/** A finished datagram whose payload tells it from all others. */
function datagram({ isV6, flow, size }: Datagram, number = 0): Uint8Array {
  const payload = Array.from({ length: size }, (_, i) => String.fromCharCode(33 + ((number * 7 + i) % 90)));
  const ends = isV6
    ? { src: address('2001:db8::1'), dst: address('2001:db8::2') }
    : { src: address('10.0.0.1'), dst: address('10.0.0.2') };
  const flowOf = { protocol: PROTOCOL.UDP, sport: 1000 + flow, dport: 53, payload: payload.join('') };
  return packetOf({ ...ends, ...flowOf }, { fragment: DF });
}

/** Puts a packet into the next slot. @returns whether it was taken */
function add(
  packet: Uint8Array,
  flags = DATA_VALID,
  checksumStart = packet[0]! >>> 4 === 4 ? 20 : 40,
): boolean {
  const at = slot++ * SLOT_BYTES + HEADROOM;
  const bytes = new Uint8Array(memory.bytes.buffer, memory.bytes.byteOffset, memory.bytes.length);
  bytes.set(packet, at);
  clearVnetHeader(bytes, at);
  if (flags === NEEDS_CSUM) emitVnetHeader(bytes, at, { ...UNFINISHED, checksumStart });
  else bytes[at - VNET_BYTES] = flags;
  return bundles.add(at, packet.length);
}

/** What a bundle is written as, with its virtio header. */
function written(bundle: number): Uint8Array {
  const count = bundles.datagramsOf(bundle);
  if (count === 1) {
    const at = bundles.placeOf(bundle);
    return Uint8Array.from(memory.bytes.subarray(at - VNET_BYTES, at + bundles.bytesOf(bundle)));
  }
  const vectors = bundles.seal(bundle) - memory.address;
  const pieces = Array.from({ length: count }, (_, i) => {
    const from = Number(memory.view.getBigUint64(vectors + 16 * i, true)) - memory.address;
    const length = Number(memory.view.getBigUint64(vectors + 16 * i + 8, true));
    return memory.bytes.subarray(from, from + length);
  });
  return Uint8Array.from(Buffer.concat(pieces));
}

/** What the kernel makes of what is written: packets with finished checksums. */
function cut(bytes: Uint8Array): Uint8Array[] {
  if (vnetGsoType(bytes, VNET_BYTES) === VNET_GSO.NONE) return [bytes.slice(VNET_BYTES)];
  const view = new PacketView();
  view.read(bytes, VNET_BYTES, bytes.length, false);
  const packet = new SuperPacket();
  const count = packet.load(view, VNET_GSO.UDP_L4, vnetGsoSize(bytes, VNET_BYTES));
  return Array.from({ length: count }, (_, i) => {
    const out = new Uint8Array(packet.lengthOf(i));
    packet.write(i, out, 0, false);
    return out;
  });
}

/** All that was collected, cut again, as texts. */
function collected(): string[] {
  const found: string[] = [];
  for (let i = bundles.from; i < bundles.next; i++) found.push(...cut(written(i)).map(text));
  return found;
}

/** Without the identification, which means nothing. */
function text(packet: Uint8Array): string {
  const copy = packet.slice();
  if (copy[0]! >>> 4 === 4) {
    setU16(copy, 4, 0);
    sealIpv4(copy, 0);
  }
  return Buffer.from(copy).toString('hex');
}

const anyDatagram = fc.record({
  isV6: fc.boolean(),
  flow: fc.nat(3),
  size: fc.oneof(fc.constantFrom(1, 64, 64, 64), fc.integer({ min: 1, max: 1400 })),
});

describe('datagrams that are written together', () => {
  test('come out as they were, those of a flow in their order', () => {
    fc.assert(
      fc.property(fc.array(anyDatagram, { maxLength: 60 }), (all) => {
        bundles = new Bundles(memory, VECTORS_AT);
        slot = 0;
        const packets = all.map(datagram);
        for (const packet of packets) expect(add(packet)).toBe(true);
        const found = collected();
        expect([...found].sort()).toEqual(packets.map(text).sort());
        for (const flow of [0, 1, 2, 3])
          for (const isV6 of [false, true]) {
            const mine = packets.filter((_, i) => all[i]!.flow === flow && all[i]!.isV6 === isV6).map(text);
            expect(found.filter((each) => mine.includes(each))).toEqual(mine);
          }
      }),
    );
  });

  test('may have unfinished checksums', () => {
    const packets = [1, 2, 3].map((number) => datagram({ isV6: false, flow: 0, size: 64 }, number));
    for (const packet of packets) add(unfinished(packet), NEEDS_CSUM);
    expect(bundles.next).toBe(1);
    expect(collected()).toEqual(packets.map(text));
  });

  test('are of one size, the last may be smaller', () => {
    const sizes = [10, 10, 4, 10, 12];
    for (const size of sizes) add(datagram({ isV6: false, flow: 0, size }));
    const counts = Array.from({ length: bundles.next }, (_, i) => bundles.datagramsOf(i));
    expect(counts).toEqual([3, 1, 1]);
  });

  test('are as many as any kernel takes', () => {
    for (let i = 0; i < BUNDLE.MOST_DATAGRAMS + 1; i++) add(datagram({ isV6: false, flow: 0, size: 20 }, i));
    expect([bundles.datagramsOf(0), bundles.datagramsOf(1)]).toEqual([BUNDLE.MOST_DATAGRAMS, 1]);
  });

  test('fit a packet together', () => {
    for (let i = 0; i < 60; i++) add(datagram({ isV6: false, flow: 0, size: 1400 }, i));
    expect(u16(written(0), VNET_BYTES + 2)).toBe(28 + 46 * 1400);
    expect(bundles.datagramsOf(1)).toBe(14);
  });

  test('leave a single one untouched', () => {
    const packet = datagram({ isV6: true, flow: 0, size: 5 });
    add(packet, DATA_VALID);
    expect(written(0).subarray(VNET_BYTES)).toEqual(packet);
    expect(written(0)[0]).toBe(DATA_VALID);
  });

  test('keep their vectors until they are written', () => {
    const packets = [0, 1, 2, 3].map((number) => datagram({ isV6: false, flow: 0, size: 64 }, number));
    add(packets[0]!);
    add(packets[1]!);
    bundles.seal(0);
    bundles.taken();
    expect([bundles.from, bundles.next]).toEqual([1, 1]);
    add(packets[2]!);
    add(packets[3]!);
    bundles.written();
    expect(cut(written(0)).map(text)).toEqual(packets.slice(0, 2).map(text));
    expect(collected()).toEqual(packets.slice(2).map(text));
    bundles.taken();
    bundles.written();
    expect([bundles.from, bundles.next]).toEqual([0, 0]);
  });

  test('end where there is no room', () => {
    for (let flow = 0; flow < 64; flow++) expect(add(datagram({ isV6: false, flow, size: 9 }))).toBe(true);
    expect(add(datagram({ isV6: false, flow: 64, size: 9 }))).toBe(false);
  });
});

test('datagrams that carry a packet whose checksum is unfinished are written alone', () => {
  const packet = datagram({ isV6: false, flow: 0, size: 200 });
  expect(add(packet, NEEDS_CSUM, 78)).toBe(false);
  expect(add(packet, NEEDS_CSUM, 20)).toBe(true);
});

const PLAIN = datagram({ isV6: false, flow: 0, size: 64 });
const changed = (packet: Uint8Array, at: number, value: number): Uint8Array => {
  const copy = packet.slice();
  copy[at] = value;
  return copy;
};

test.each([
  { what: 'that may be cut on their way', packet: changed(PLAIN, 6, 0) },
  { what: 'that are fragments', packet: changed(PLAIN, 6, 0x60) },
  { what: 'with IP options', packet: changed(PLAIN, 0, 0x46) },
  { what: 'that are not UDP', packet: changed(PLAIN, 9, PROTOCOL.TCP) },
  { what: 'of another length than they say', packet: changed(PLAIN, 25, 71) },
  { what: 'whose checksum nobody has looked at', packet: PLAIN, flags: 0 },
  { what: 'without a checksum', packet: changed(changed(PLAIN, 26, 0), 27, 0) },
  { what: 'without payload', packet: datagram({ isV6: false, flow: 0, size: 0 }) },
  { what: 'of no IP version', packet: changed(PLAIN, 0, 0x75) },
])('packets $what are written alone', ({ packet, flags = DATA_VALID }) => {
  expect(add(packet, flags)).toBe(false);
});

test.each([
  { what: 'the type of service', at: 1 },
  { what: 'the time to live', at: 8 },
  { what: 'a source address', at: 15 },
  { what: 'a destination address', at: 19 },
  { what: 'a port', at: 23 },
])('$what tells flows apart', ({ at }) => {
  expect(add(PLAIN)).toBe(true);
  expect(add(changed(PLAIN, at, 99))).toBe(true);
  expect(bundles.next).toBe(2);
});

test.each([
  { what: 'a flow label', at: 3 },
  { what: 'the hop limit', at: 7 },
  { what: 'a source address', at: 23 },
  { what: 'a destination address', at: 39 },
  { what: 'a port', at: 43 },
])('$what tells IPv6 flows apart', ({ at }) => {
  const packet = datagram({ isV6: true, flow: 0, size: 64 });
  expect(add(packet)).toBe(true);
  expect(add(changed(packet, at, 99))).toBe(true);
  expect(bundles.next).toBe(2);
});
