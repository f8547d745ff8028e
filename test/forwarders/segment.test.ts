import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PROTOCOL } from '../../src/core/config.ts';
import { PacketView, READING } from '../../src/core/packet-view.ts';
import { setU16, u16, u32 } from '../../src/core/wire/bytes.ts';
import { TCP_FLAG } from '../../src/core/wire/tcp.ts';
import { completeChecksum } from '../../src/forwarders/complete.ts';
import { SuperPacket } from '../../src/forwarders/segment.ts';
import {
  clearVnetHeader,
  emitVnetHeader,
  VNET_GSO,
  VNET_HEADER_LEN,
  vnetChecksumOffset,
  vnetChecksumStart,
  vnetGsoSize,
  vnetGsoType,
  vnetNeedsChecksum,
} from '../../src/forwarders/vnet-header.ts';
import { address } from '../support/core.ts';
import { packetOf } from '../support/core-packets.ts';
import { framed, hex, MARGIN, resealed, unfinished } from './packets.ts';

const CWR = 128;

const flow = fc.integer({ min: 1, max: 1460 }).chain((gsoSize) =>
  fc.record<Case>({
    isV6: fc.boolean(),
    protocol: fc.constantFrom(PROTOCOL.TCP, PROTOCOL.UDP),
    payloadLength: fc.nat(gsoSize * 4),
    gsoSize: fc.constant(gsoSize),
    flags: fc.nat(255),
    optionBytes: fc.constantFrom(0, 8),
  }),
);

describe('a super-packet', () => {
  test('is cut into packets whose payloads are its own, in order', () => {
    fc.assert(
      fc.property(flow, (f) => {
        const { superPacket, pieces } = cutUp(f);
        const payloadOf = (packet: Uint8Array): string => {
          const { view } = framed(packet);
          return text(view.bytes.subarray(view.transport + headerLength(f.protocol), view.end));
        };
        expect(pieces.map(payloadOf).join('')).toBe(payloadOf(superPacket));
        expect(pieces.length).toBe(Math.max(1, Math.ceil(f.payloadLength / f.gsoSize)));
      }),
    );
  });

  test('is cut into packets of sound checksums and lengths, with ids and sequence numbers that go on', () => {
    fc.assert(
      fc.property(flow, (f) => {
        const { superPacket, pieces } = cutUp(f);
        const original = framed(superPacket).view;
        for (const [i, piece] of pieces.entries()) {
          expect(text(piece)).toBe(text(resealed(piece)));
          const { view, bytes } = framed(piece);
          expect(view.lengthBytes).toBe(piece.length);
          if (!f.isV6) expect(u16(bytes, view.at + 4)).toBe((u16(superPacket, 4) + i) & 0xffff);
          if (f.protocol === PROTOCOL.UDP) {
            expect(u16(bytes, view.transport + 4)).toBe(view.end - view.transport);
            continue;
          }
          const sequence = u32(original.bytes, original.transport + 4) + i * f.gsoSize;
          expect(u32(bytes, view.transport + 4)).toBe(sequence % 2 ** 32);
          const isLast = i === pieces.length - 1;
          const taken = (i === 0 ? 0 : CWR) | (isLast ? 0 : TCP_FLAG.FIN | TCP_FLAG.PSH);
          expect(bytes[view.transport + 13]).toBe(f.flags & ~taken);
        }
      }),
      { examples: [[SUM_OF_ZERO]] },
    );
  });

  test('may leave the checksums of its packets unfinished', () => {
    fc.assert(
      fc.property(flow, (f) => {
        const finished = cutUp(f).pieces;
        const { pieces } = cutUp(f, true);
        expect(pieces.map(text)).toEqual(finished.map(unfinished).map(text));
      }),
    );
  });

  test('of 65535 bytes keeps its sequence numbers 32 bits long', () => {
    const { superPacket } = cutUp({ ...PLAIN, payloadLength: 60_000 });
    superPacket.set(hex('fffffff0'), 24);
    const { view } = framed(superPacket);
    const cutter = new SuperPacket();
    cutter.load(view, VNET_GSO.TCPV4, 1000);
    const out = new Uint8Array(1500);
    expect(cutter.write(59, out, 0, false)).toBe(1040);
    expect(u32(out, 24)).toBe((0xfffffff0 + 59_000) % 2 ** 32);
  });

  test.each([
    { name: 'no type', type: VNET_GSO.NONE, size: 100 },
    { name: 'the type of the other protocol', type: VNET_GSO.UDP_L4, size: 100 },
    { name: 'the type of the other IP version', type: VNET_GSO.TCPV6, size: 100 },
    { name: 'the type of UDP fragments', type: 3, size: 100 },
    { name: 'no size', type: VNET_GSO.TCPV4, size: 0 },
  ])('with $name is not cut', ({ type, size }) => {
    const { view } = framed(packetOf({ ...ends(false), protocol: PROTOCOL.TCP, payloadLength: 1000 }));
    const cutter = new SuperPacket();
    expect(cutter.load(view, type, size)).toBe(0);
    expect(cutter.write(0, new Uint8Array(2000), 0, false)).toBe(0);
  });

  test.each([0x40, 0xf0])('with a TCP header that says %i is not cut', (dataOffset) => {
    const packet = packetOf({ ...ends(false), protocol: PROTOCOL.TCP, payloadLength: 10 });
    packet[32] = dataOffset;
    expect(new SuperPacket().load(framed(packet).view, VNET_GSO.TCPV4, 5)).toBe(0);
  });

  test('writes nothing where there is no such packet or no room', () => {
    const packet = packetOf({ ...ends(false), protocol: PROTOCOL.TCP, payloadLength: 100 });
    const cutter = new SuperPacket();
    expect(cutter.load(framed(packet).view, VNET_GSO.TCPV4, 60)).toBe(2);
    const out = new Uint8Array(200).fill(0xa5);
    expect(cutter.write(2, out, 0, false)).toBe(0);
    expect(cutter.write(-1, out, 0, false)).toBe(0);
    expect(cutter.write(0, out, 101, false)).toBe(0);
    expect(out.every((byte) => byte === 0xa5)).toBe(true);
    expect(cutter.write(0, out, 100, false)).toBe(cutter.lengthOf(0));
    expect(cutter.lengthOf(1)).toBe(80);
  });
});

describe('an unfinished checksum', () => {
  test('is finished as its sender would have, and the note of it taken off', () => {
    fc.assert(
      fc.property(flow, ({ isV6, protocol, payloadLength }) => {
        const finished = packetOf({ ...ends(isV6), protocol, payloadLength });
        const { view, bytes, packet } = framed(unfinished(finished));
        emitVnetHeader(bytes, view.at, {
          needsChecksum: true,
          gsoType: VNET_GSO.NONE,
          headerLength: 0,
          gsoSize: 0,
          checksumStart: view.transport - view.at,
          checksumOffset: protocol === PROTOCOL.TCP ? 16 : 6,
        });
        expect(completeChecksum(bytes, view.at, view.lengthBytes)).toBe(true);
        expect(text(packet())).toBe(text(finished));
        expect(vnetNeedsChecksum(bytes, view.at)).toBe(false);
        expect(completeChecksum(bytes, view.at, view.lengthBytes)).toBe(true);
        expect(text(packet())).toBe(text(finished));
      }),
    );
  });

  test('that comes out as 0 is written as 0xffff', () => {
    const flow = { ...ends(false), protocol: PROTOCOL.UDP };
    const sum = u16(packetOf(flow), 26);
    const { view, bytes } = framed(unfinished(packetOf({ ...flow, dport: flow.dport + sum })));
    emitVnetHeader(bytes, view.at, { ...CLEAR, needsChecksum: true, checksumStart: 20, checksumOffset: 6 });
    expect(completeChecksum(bytes, view.at, view.lengthBytes)).toBe(true);
    expect(u16(bytes, view.at + 26)).toBe(0xffff);
  });

  test.each([
    { length: 28, fits: true },
    { length: 27, fits: false },
  ])('in the last bytes of 28 is finished in a packet of $length: $fits', ({ length, fits }) => {
    const bytes = new Uint8Array(60);
    emitVnetHeader(bytes, 20, { ...CLEAR, needsChecksum: true, checksumStart: 20, checksumOffset: 6 });
    expect(completeChecksum(bytes, 20, length)).toBe(fits);
  });

  test('that would be outside the packet is refused, and nothing written', () => {
    fc.assert(
      fc.property(
        fc.nat(65_535),
        fc.nat(65_535),
        fc.integer({ min: 20, max: 90 }),
        (start, offset, length) => {
          const bytes = new Uint8Array(200).fill(0xa5);
          emitVnetHeader(bytes, 100, {
            ...CLEAR,
            needsChecksum: true,
            checksumStart: start,
            checksumOffset: offset,
          });
          const before = bytes.slice();
          const fits = start + offset + 2 <= length;
          expect(completeChecksum(bytes, 100, length)).toBe(fits);
          const isOutside = (_: number, i: number): boolean => i < 90 || i >= 100 + length;
          expect(bytes.filter(isOutside).every((byte) => byte === 0xa5)).toBe(true);
          if (!fits) expect(bytes).toEqual(before);
        },
      ),
    );
  });
});

describe('a vnet header', () => {
  test('is read as Linux wrote it for a TCP super-packet', () => {
    const header = hex('018136000005' + '14001000');
    const bytes = new Uint8Array(40);
    bytes.set(header, 10);
    expect(vnetNeedsChecksum(bytes, 20)).toBe(true);
    expect(vnetGsoType(bytes, 20)).toBe(VNET_GSO.TCPV4);
    expect(vnetGsoSize(bytes, 20)).toBe(1280);
    expect(vnetChecksumStart(bytes, 20)).toBe(20);
    expect(vnetChecksumOffset(bytes, 20)).toBe(16);
    const written = new Uint8Array(VNET_HEADER_LEN);
    emitVnetHeader(written, 10, {
      needsChecksum: true,
      gsoType: VNET_GSO.TCPV4 | VNET_GSO.ECN,
      headerLength: 54,
      gsoSize: 1280,
      checksumStart: 20,
      checksumOffset: 16,
    });
    expect(written).toEqual(header);
  });

  test('is cleared without touching what is around it', () => {
    const bytes = new Uint8Array(30).fill(0xa5);
    clearVnetHeader(bytes, 20);
    expect([...bytes]).toEqual([
      ...Array<number>(10).fill(0xa5),
      ...Array<number>(10).fill(0),
      ...Array<number>(10).fill(0xa5),
    ]);
  });
});

const CLEAR = {
  needsChecksum: false,
  gsoType: 0,
  headerLength: 0,
  gsoSize: 0,
  checksumStart: 0,
  checksumOffset: 0,
};

/** The checksum of its first packet is 0. */
const SUM_OF_ZERO: Case = {
  isV6: true,
  protocol: PROTOCOL.TCP,
  payloadLength: 853,
  gsoSize: 426,
  flags: 254,
  optionBytes: 0,
};

const PLAIN = {
  isV6: false,
  protocol: PROTOCOL.TCP,
  payloadLength: 100,
  gsoSize: 50,
  flags: TCP_FLAG.ACK,
  optionBytes: 0,
};

type Case = {
  isV6: boolean;
  protocol: number;
  payloadLength: number;
  gsoSize: number;
  flags: number;
  optionBytes: number;
};

/** Builds a super-packet as a device gives it, and cuts it. */
function cutUp(f: Case, leavesChecksum = false) {
  const { isV6, protocol, payloadLength, flags, optionBytes } = f;
  const superPacket = unfinished(
    packetOf({ ...ends(isV6), protocol, payloadLength, flags }, { optionBytes }),
  );
  const header = superPacket.length - payloadLength;
  for (let i = 0; i < payloadLength; i++) superPacket[header + i] = (i * 7) >>> 3;
  if (!isV6) setU16(superPacket, 4, 0xfffe);
  const view = new PacketView();
  expect(view.read(superPacket, 0, superPacket.length, false)).toBe(READING.WHOLE);
  const before = superPacket.slice();
  const cutter = new SuperPacket();
  const tcp = isV6 ? VNET_GSO.TCPV6 : VNET_GSO.TCPV4;
  const count = cutter.load(view, protocol === PROTOCOL.TCP ? tcp : VNET_GSO.UDP_L4, f.gsoSize);
  const pieces = Array.from({ length: count }, (_, i) => {
    const out = new Uint8Array(cutter.lengthOf(i) + MARGIN).fill(0xa5);
    const length = cutter.write(i, out, 0, leavesChecksum);
    expect(out.subarray(length).every((byte) => byte === 0xa5)).toBe(true);
    return out.slice(0, length);
  });
  expect(text(superPacket)).toBe(text(before));
  return { superPacket, pieces };
}

/** Bytes as text: quicker to compare than arrays. */
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const headerLength = (protocol: number): number => (protocol === PROTOCOL.TCP ? 20 : 8);

function ends(isV6: boolean) {
  return isV6
    ? { src: address('fd00:1::1'), sport: 1000, dst: address('fd00::1'), dport: 53 }
    : { src: address('10.1.0.1'), sport: 1000, dst: address('10.0.0.1'), dport: 53 };
}
