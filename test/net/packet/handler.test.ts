import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { type Address, AF_INET6, addressBytes } from '../../../src/core/address.ts';
import { METHOD, PROTOCOL, SERVICE_FLAG, TUNNEL_TYPE } from '../../../src/core/config.ts';
import { Reassembler } from '../../../src/core/reassembly.ts';
import { TCP_FLAG } from '../../../src/core/wire/tcp.ts';
import { Answerer } from '../../../src/net/packet/answerer.ts';
import { DirectOutput } from '../../../src/net/packet/direct-output.ts';
import { HEADROOM, SLOT_BYTES, VNET_BYTES } from '../../../src/net/packet/drain.ts';
import { Routes } from '../../../src/net/packet/host-state/routes.ts';
import { Locality } from '../../../src/net/packet/locality.ts';
import { createPacketCounters } from '../../../src/net/packet/packet-counters.ts';
import { PacketHandler } from '../../../src/net/packet/packet-handler.ts';
import { RawSender } from '../../../src/net/packet/raw-sender.ts';
import { Replier } from '../../../src/net/packet/replier.ts';
import { Transmitter } from '../../../src/net/packet/transmitter.ts';
import { WholeOutput } from '../../../src/net/packet/whole-output.ts';
import {
  ALL_FLAGS,
  address,
  destConfig,
  makeDirector,
  seededRandom,
  serviceConfig,
} from '../../support/core.ts';
import { icmpPacketOf, packetOf, type Segment } from '../../support/core-packets.ts';

const MTU = 1400;
/** The slot in the middle is the packet's, those beside it are its neighbours'. */
const AT = SLOT_BYTES + HEADROOM;
/** A mark of services that have one. */
const FWMARK = 5;

const VIP = { v4: address('10.0.0.1'), v6: address('fd00::1') };
const CLIENT = { v4: address('10.1.0.2'), v6: address('fd00:1::2') };
const SERVER = { v4: address('10.2.0.1'), v6: address('fd00:2::1') };
const FAMILIES = ['v4', 'v6'] as const;
type FamilyName = (typeof FAMILIES)[number];
const NETMASK = { v4: 0xffffffff, v6: 128 } as const;

/** How services of a port forward. */
const PORTS = [
  { port: 80, dest: { method: METHOD.MASQ } },
  { port: 81, dest: { method: METHOD.ROUTE } },
  { port: 82, dest: { method: METHOD.TUNNEL, tunnelType: TUNNEL_TYPE.IPIP } },
  { port: 83, dest: { method: METHOD.TUNNEL, tunnelType: TUNNEL_TYPE.GRE, tunnelFlags: 1 } },
  {
    port: 84,
    dest: { method: METHOD.TUNNEL, tunnelType: TUNNEL_TYPE.GUE, tunnelPort: 6080, tunnelFlags: 2 },
  },
  { port: 85, dest: undefined },
] as const;

const beds: Bed[] = [];
afterAll(() => {
  for (const { raw } of beds) raw.close();
});

describe('whatever comes', () => {
  const steps = fc.array(step(), { minLength: 1, maxLength: 6 });

  test('is handled within its slot, and neighbours in a batch matter to nobody', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(steps, (all) => {
        const [a, b] = [new Bed(0x00), new Bed(0xff)];
        for (const each of all) {
          a.take(each);
          b.take(each);
          expect(b.seen).toEqual(a.seen);
        }
        expect(b.counters).toEqual(a.counters);
        a.raw.close();
        b.raw.close();
      }),
      { numRuns: 200 },
    );
  });
});

describe('packets that are as they should be', () => {
  const bed = new Bed(0);
  beds.push(bed);
  const request = (port: number, family: FamilyName): Segment => ({
    protocol: PROTOCOL.UDP,
    src: CLIENT[family],
    sport: 4000,
    dst: VIP[family],
    dport: port,
    payloadLength: 100,
  });

  test.each(FAMILIES.flatMap((family) => PORTS.map((each) => ({ family, ...each }))))(
    'over $family to port $port leave as the service forwards',
    ({ family, port, dest }) => {
      bed.seen.length = 0;
      bed.take({ packet: packetOf(request(port, family)), vnet: new Uint8Array(VNET_BYTES), fwmark: 0 });
      const [way] = bed.seen.map((each) => each.split(' ')[0]);
      const expected = { [METHOD.MASQ]: 'device', [METHOD.ROUTE]: 'raw', [METHOD.TUNNEL]: 'raw' };
      expect(way).toBe(dest === undefined ? 'sent' : expected[dest.method]);
    },
  );
});

/** One packet with what stands before it. */
interface Step {
  readonly packet: Uint8Array;
  readonly vnet: Uint8Array;
  readonly fwmark: number;
}

/** Keeps what would be sent to servers. */
class CaughtSender extends RawSender {
  private readonly seen: string[];

  constructor(seen: string[]) {
    super({ mark: 0 });
    this.seen = seen;
  }

  override send(_to: Address, bytes: Uint8Array, at: number, length: number): number {
    this.seen.push(`raw ${hex(bytes, at, length)}`);
    return length;
  }
}

/** A packet plane without a device. */
class Bed {
  /** What left, and where to. */
  readonly seen: string[] = [];
  readonly counters = createPacketCounters();
  readonly raw = new CaughtSender(this.seen);
  private readonly fill: number;
  private readonly memory = Buffer.alloc(3 * SLOT_BYTES);
  private readonly neighbour: Buffer;
  private readonly handler: PacketHandler;
  private now = 1000;

  constructor(fill: number) {
    this.fill = fill;
    this.neighbour = Buffer.alloc(SLOT_BYTES, fill);
    const director = makeDirector();
    const { counters, raw } = this;
    for (const family of FAMILIES) {
      for (const protocol of [PROTOCOL.TCP, PROTOCOL.UDP, PROTOCOL.SCTP])
        addServices(director, protocol, family);
      const marked = serviceConfig({
        family: VIP[family].family,
        fwmark: FWMARK,
        netmask: NETMASK[family],
        port: 0,
        addr: VIP[family],
        protocol: 0,
      });
      director.apply({ op: 'add-service', service: marked, flagsMask: ALL_FLAGS }, 0);
      const dest = destConfig(1, { addr: SERVER[family], port: 0 });
      director.apply({ op: 'add-dest', service: marked, dest }, 0);
    }
    const locality = new Locality();
    for (const family of FAMILIES) locality.virtual.add(VIP[family]);
    const send = (bytes: Uint8Array, at: number, length: number): void =>
      void this.seen.push(`sent ${hex(bytes, at - VNET_BYTES, length + VNET_BYTES)}`);
    const routes = new Routes({ ask: answerRoute }, () => MTU);
    const answerer = new Answerer({ director, routes, locality, counters, now: () => this.now, send });
    const output = new DirectOutput({ raw, counters, random: seededRandom(1), tracer: undefined });
    this.handler = new PacketHandler({
      director,
      locality,
      transmitter: new Transmitter({ director, routes, answerer, output, counters }),
      replier: new Replier({ director, locality, counters }),
      answerer,
      reassembler: new Reassembler({ seed: 1 }),
      wholeOutput: new WholeOutput(send),
      counters,
      tracer: undefined,
    });
  }

  /** @throws if bytes of neighbours were written, or more is to be written back than there is room for */
  take({ packet, vnet, fwmark }: Step): void {
    const { memory, fill } = this;
    memory.fill(fill);
    memory.set(vnet, AT - VNET_BYTES);
    memory.set(packet, AT);
    const left = this.handler.packet(memory, AT, packet.length, fwmark, this.now++);
    expect(left).toBeGreaterThanOrEqual(0);
    expect(left).toBeLessThanOrEqual(SLOT_BYTES - HEADROOM);
    expect(memory.subarray(0, SLOT_BYTES).equals(this.neighbour)).toBe(true);
    expect(memory.subarray(2 * SLOT_BYTES).equals(this.neighbour)).toBe(true);
    if (left > 0) this.seen.push(`device ${hex(memory, AT - VNET_BYTES, left + VNET_BYTES)}`);
  }
}

function addServices(director: ReturnType<typeof makeDirector>, protocol: number, family: FamilyName): void {
  const addr = VIP[family];
  const common = { family: addr.family, protocol, addr, netmask: NETMASK[family] };
  for (const { port, dest } of PORTS) {
    const service = serviceConfig({ ...common, port });
    director.apply({ op: 'add-service', service, flagsMask: ALL_FLAGS }, 0);
    if (dest === undefined) continue;
    const server = destConfig(1, {
      addr: SERVER[family],
      port: dest.method === METHOD.MASQ ? 8080 : port,
      ...dest,
    });
    director.apply({ op: 'add-dest', service, dest: server }, 0);
  }
  const any = serviceConfig({ ...common, port: 0, flags: SERVICE_FLAG.PERSISTENT, timeoutSec: 60 });
  director.apply({ op: 'add-service', service: any, flagsMask: ALL_FLAGS }, 0);
  director.apply({ op: 'add-dest', service: any, dest: destConfig(1, { addr: SERVER[family], port: 0 }) }, 0);
}

/** A packet of a client or of a server, or an error about one; whole, or spoilt. */
function step(): fc.Arbitrary<Step> {
  const packet = fc.oneof(
    segment().map((each) => packetOf(each)),
    fragments(),
    errors(),
    wrapped(),
    fc.uint8Array({ maxLength: 200 }),
  );
  return fc.record({
    packet: fc.tuple(packet, spoiling()).map(([bytes, spoil]) => spoil(bytes)),
    vnet: vnetHeader(),
    fwmark: fc.constantFrom(0, 0, 0, FWMARK),
  });
}

function segment(): fc.Arbitrary<Segment> {
  return fc
    .record({
      family: fc.constantFrom(...FAMILIES),
      protocol: fc.constantFrom(PROTOCOL.TCP, PROTOCOL.UDP, PROTOCOL.SCTP),
      port: fc.constantFrom(80, 81, 82, 83, 84, 85, 99),
      sport: fc.constantFrom(4000, 4001),
      isReply: fc.boolean(),
      flags: fc.constantFrom(TCP_FLAG.SYN, TCP_FLAG.ACK, TCP_FLAG.RST, TCP_FLAG.FIN),
      payloadLength: fc.oneof(fc.nat(64), fc.nat(2000), fc.constantFrom(60_000, 65_000)),
    })
    .map(({ family, port, sport, isReply, ...rest }) =>
      isReply
        ? { src: SERVER[family], sport: 8080, dst: CLIENT[family], dport: sport, ...rest }
        : { src: CLIENT[family], sport, dst: VIP[family], dport: port, ...rest },
    );
}

function fragments(): fc.Arbitrary<Uint8Array> {
  const fields = fc.constantFrom(0x2000, 0x2001, 0x0010, 0x1fff, 0x3fff);
  return fc.tuple(segment(), fields).map(([each, fragment]) => packetOf(each, { fragment }));
}

/** An ICMP error of any type that quotes some packet. */
function errors(): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(segment(), fc.nat(15), fc.nat(5), fc.nat(600), fc.boolean())
    .map(([quoted, type, code, size, isOfServer]) => {
      const family = quoted.src.family === AF_INET6 ? 'v6' : 'v4';
      const ends = isOfServer
        ? { src: SERVER[family], dst: CLIENT[family] }
        : { src: CLIENT[family], dst: VIP[family] };
      const about = { ...quoted, src: quoted.dst, sport: quoted.dport, dst: quoted.src, dport: quoted.sport };
      return icmpPacketOf(ends, type, code, packetOf(about).subarray(0, size));
    });
}

/** A packet in a packet, or an error about such a one. */
function wrapped(): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(segment(), fc.constantFrom(4, 41, 47, 17), fc.boolean())
    .map(([inner, protocol, isError]) => {
      const family = inner.src.family === AF_INET6 ? 'v6' : 'v4';
      const bytes = packetOf({ ...inner, payloadLength: Math.min(inner.payloadLength ?? 0, 500) });
      const outer = packetOf({
        protocol: PROTOCOL.UDP,
        src: CLIENT[family],
        sport: 1,
        dst: SERVER[family],
        dport: 6080,
        payloadLength: bytes.length,
      });
      outer.set(bytes, outer.length - bytes.length);
      outer[family === 'v6' ? 6 : 9] = protocol;
      return isError ? icmpPacketOf({ src: SERVER[family], dst: VIP[family] }, 3, 4, outer) : outer;
    });
}

function spoiling(): fc.Arbitrary<(bytes: Uint8Array) => Uint8Array> {
  const flips = fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { maxLength: 4 });
  return fc
    .record({ flips, cut: fc.option(fc.nat(1500)), isCut: fc.boolean() })
    .map(({ flips, cut, isCut }) => (bytes) => {
      const spoilt = Uint8Array.from(isCut && cut !== null ? bytes.subarray(0, cut) : bytes).subarray(
        0,
        65_535,
      );
      for (const [at, value] of flips) if (at < spoilt.length) spoilt[at] = value;
      return spoilt;
    });
}

/** Mostly none, else of any content: flags, type, header length, size of segments, start and place of the checksum. */
function vnetHeader(): fc.Arbitrary<Uint8Array> {
  const likely = fc
    .record({
      flags: fc.constantFrom(0, 1, 2),
      type: fc.constantFrom(0, 1, 3, 4, 5),
      size: fc.constantFrom(0, 1, 8, 536, 1448, 65_535),
      start: fc.constantFrom(20, 40, 24),
      offset: fc.constantFrom(6, 16),
    })
    .map(({ flags, type, size, start, offset }) =>
      Uint8Array.of(flags, type, 0, 0, size & 255, size >> 8, start, 0, offset, 0),
    );
  const none = fc.constant(new Uint8Array(VNET_BYTES));
  const any = fc.uint8Array({ minLength: VNET_BYTES, maxLength: VNET_BYTES });
  return fc.oneof({ arbitrary: none, weight: 3 }, likely, any);
}

/** The kernel of a host that reaches everybody by one device. */
function answerRoute(request: Uint8Array): Uint8Array {
  const view = new DataView(request.buffer, request.byteOffset);
  const isLink = view.getUint16(4, true) === 18;
  if (isLink)
    return message(16, 16, [
      [3, new TextEncoder().encode('eth0\0')],
      [4, Uint8Array.of(MTU & 255, MTU >> 8, 0, 0)],
    ]);
  const family = request[16]!;
  const answer = message(24, 12, [
    [4, Uint8Array.of(2, 0, 0, 0)],
    [7, addressBytes(address(family === AF_INET6 ? 'fd00:3::1' : '10.3.0.1'))],
  ]);
  answer[16] = family;
  answer[16 + 7] = 1;
  return answer;
}

function message(
  type: number,
  headerLength: number,
  attributes: readonly (readonly [number, Uint8Array])[],
): Uint8Array {
  const padded = (length: number): number => (length + 3) & ~3;
  const length = attributes.reduce((sum, [, value]) => sum + padded(4 + value.length), 16 + headerLength);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, length, true);
  view.setUint16(4, type, true);
  let at = 16 + headerLength;
  for (const [kind, value] of attributes) {
    view.setUint16(at, 4 + value.length, true);
    view.setUint16(at + 2, kind, true);
    bytes.set(value, at + 4);
    at += padded(4 + value.length);
  }
  return bytes;
}

const hex = (bytes: Uint8Array, at: number, length: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + at, length).toString('hex');
