import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatAddress, parseAddress } from '../../../src/core/address.ts';
import { PROTOCOL, type ServiceKey } from '../../../src/core/config.ts';
import { TCP_FLAG } from '../../../src/core/wire/tcp.ts';
import { type CapturedArrivals, isCapture, parseCapture } from '../../../src/sim/capture/capture.ts';
import { address } from '../../support/core.ts';
import { packetOf } from '../../support/core-packets.ts';
import { blockOf, type Frame, joined, pcapngOf, pcapOf, words } from './files.ts';

const VIP = '10.0.0.1';
const RAW = 101;
const { SYN, ACK, FIN } = TCP_FLAG;
const service = (protocol: number, addr = VIP, port = 80): ServiceKey => {
  const parsed = parseAddress(addr)!;
  return { protocol, family: parsed.family, addr: parsed, port, fwmark: 0 };
};
const tcp = (from: string, to: string, flags: number): Uint8Array =>
  packetOf({ protocol: 6, ...ends(from, to), flags });
const udp = (from: string, to: string): Uint8Array => packetOf({ protocol: 17, ...ends(from, to) });
const framed = (head: readonly number[], packet: Uint8Array): Uint8Array =>
  joined([Uint8Array.from(head), packet]);
/** ms to a frame's time, from an odd moment on. */
const at = (ms: number, bytes: Uint8Array): Frame => {
  const ns = 999_000_000 + Math.round(ms * 1e6);
  return { time: [1_700_000_000 + Math.floor(ns / 1e9), ns % 1e9], bytes };
};

/** Two connections, a retransmission, and what is no arrival. */
const TALK: readonly Frame[] = [
  at(0, udp('10.9.9.9 53', `${VIP} 80`)),
  at(1, tcp('192.0.2.1 4000', `${VIP} 80`, SYN)),
  at(2, tcp(`${VIP} 80`, '192.0.2.1 4000', SYN | ACK)),
  at(3, tcp('192.0.2.2 5000', `${VIP} 80`, SYN)),
  at(4, tcp('192.0.2.2 5000', `${VIP} 80`, SYN)),
  at(5, tcp('192.0.2.1 4001', `${VIP} 443`, SYN)),
  at(6, tcp('192.0.2.1 4000', `${VIP} 80`, ACK)),
  at(11.5, tcp(`${VIP} 80`, '192.0.2.1 4000', FIN | ACK)),
];
const TALK_ARRIVALS = [
  { atMs: 1, client: '192.0.2.1', port: 4000, workMs: 10.5 },
  { atMs: 3, client: '192.0.2.2', port: 5000, workMs: 1 },
];

function read(file: Uint8Array, to = service(PROTOCOL.TCP), workIsDuration = true): unknown {
  const found = parseCapture(file, to, workIsDuration);
  return typeof found === 'string' ? found : named(found);
}

const named = ({ records, addresses }: CapturedArrivals): unknown[] =>
  records.map(({ atMs, client, port, workMs }) => {
    const round = (ms: number): number => Math.round(ms * 1e4) / 1e4;
    return { atMs: round(atMs), client: formatAddress(addresses[client]!), port, workMs: round(workMs) };
  });

describe.each([{ isLittle: true }, { isLittle: false }])(
  'with little-endian numbers: $isLittle',
  ({ isLittle }) => {
    test.each([{ isNano: true }, { isNano: false }])(
      'a pcap file is read, nanoseconds: $isNano',
      ({ isNano }) => {
        expect(read(pcapOf(TALK, { isLittle, isNano, link: RAW }))).toEqual(TALK_ARRIVALS);
      },
    );

    test.each([undefined, 6, 9, 0x80 | 40])('a pcapng file is read, resolution %s', (resolution) => {
      expect(read(pcapngOf(TALK, isLittle, RAW, resolution))).toEqual(TALK_ARRIVALS);
    });
  },
);

test.each([
  { name: 'null', link: 0, head: [2, 0, 0, 0] },
  { name: 'loop', link: 108, head: [0, 0, 0, 2] },
  { name: 'Ethernet', link: 1, head: [...Array(12).fill(1), 8, 0] },
  {
    name: 'Ethernet with two VLAN tags',
    link: 1,
    head: [...Array(12).fill(1), 0x88, 0xa8, 0, 5, 0x81, 0, 0, 7, 8, 0],
  },
  { name: 'Linux cooked', link: 113, head: [...Array(14).fill(0), 8, 0] },
  { name: 'Linux cooked 2', link: 276, head: [8, 0, ...Array(18).fill(0)] },
  { name: 'IPv4', link: 228, head: [] },
])('frames of link type $name are read', ({ link, head }) => {
  const frames = TALK.map(({ time, bytes }) => ({ time, bytes: framed(head, bytes) }));
  expect(read(pcapOf(frames, { isLittle: true, isNano: false, link }))).toEqual(TALK_ARRIVALS);
});

test('frames that carry no IP, and ends of frames that were not kept, are nothing to mind', () => {
  const head = [...Array(12).fill(1), 8, 0];
  const frames = TALK.map(({ time, bytes }) => ({ time, bytes: framed(head, bytes).subarray(0, 54) }));
  const arp = at(0, framed([...Array(12).fill(1), 8, 6], new Uint8Array(28)));
  const form = { isLittle: true, isNano: false, link: 1 };
  expect(read(pcapOf([arp, at(0, new Uint8Array(3)), ...frames], form))).toEqual(TALK_ARRIVALS);
});

test('a datagram begins a flow unless there was one of its ports in the last five minutes', () => {
  const frames = [0, 1000, 301_001, 900_000].map((ms) => at(ms, udp('192.0.2.1 4000', `${VIP} 53`)));
  const found = read(pcapngOf(frames, true, RAW), service(PROTOCOL.UDP, VIP, 53));
  expect(found).toMatchObject([{ atMs: 0, workMs: 1000 }, { atMs: 301_001 }, { atMs: 900_000 }]);
});

test('a port that is used again is another connection, and port 0 of a service is any port', () => {
  const again = { protocol: 6, ...ends('192.0.2.1 4000', `${VIP} 80`), flags: SYN };
  const other = packetOf(again);
  other[27] = 9;
  const frames = [...TALK, at(20, other)];
  const file = pcapOf(frames, { isLittle: true, isNano: false, link: RAW });
  expect(read(file)).toMatchObject([...TALK_ARRIVALS, { atMs: 20, client: '192.0.2.1', port: 4000 }]);
  expect(read(file, service(PROTOCOL.TCP, VIP, 0))).toMatchObject([
    { atMs: 1 },
    { atMs: 3 },
    { atMs: 5 },
    { atMs: 20 },
  ]);
});

test('IPv6 is read, and without the duration a record says nothing of work', () => {
  const frames = [at(0, tcp('2001:db8::7 4000', '2001:db8::1 80', SYN))];
  const found = read(pcapngOf(frames, true, RAW), service(PROTOCOL.TCP, '2001:db8::1'), false);
  expect(found).toEqual([{ atMs: 0, client: '2001:db8::7', port: 4000, workMs: -1 }]);
});

const PCAP = pcapOf(TALK, { isLittle: true, isNano: false, link: RAW });
const PCAPNG = pcapngOf(TALK, true, RAW);
test.each([
  {
    what: 'text',
    file: Uint8Array.from([116, 105, 109, 101, 10]),
    says: 'expected a capture in pcap or pcapng',
  },
  {
    what: 'half a header',
    file: PCAP.subarray(0, 10),
    says: 'at byte 0: the header has 24 bytes; 10 are left',
  },
  {
    what: 'half a packet',
    file: PCAP.subarray(0, 60),
    says: /^at byte 40: a packet has \d+ bytes; 20 are left$/,
  },
  {
    what: 'half a block',
    file: PCAPNG.subarray(0, PCAPNG.length - 6),
    says: /^at byte \d+: a block has \d+ bytes; \d+ are left$/,
  },
  {
    what: 'lengths that differ',
    file: joined([PCAPNG.subarray(0, 28), words(true, [1, 12, 16])]),
    says: "at byte 36: expected the block's length 12 again; found 16",
  },
  {
    what: 'a packet without a time',
    file: joined([PCAPNG, blockOf(true, 3, words(true, [0]))]),
    says: /a simple packet block has no time, so that it cannot be replayed$/,
  },
  {
    what: 'a packet of no interface',
    file: joined([PCAPNG, blockOf(true, 6, words(true, [7, 0, 0, 0, 0]))]),
    says: /the packet is of an interface that was not described$/,
  },
  {
    what: 'another link type',
    file: pcapOf(TALK, { isLittle: true, isNano: false, link: 105 }),
    says: 'at byte 40: packets of link type 105 cannot be read',
  },
  {
    what: 'nothing to the service',
    file: pcapOf(TALK.slice(5, 6), { isLittle: true, isNano: false, link: RAW }),
    says: 'the capture has no connection to TCP 10.0.0.1:80, but to 10.0.0.1 port 443 (1)',
  },
])('$what is told in one line', ({ file, says }) => {
  const found = read(file);
  if (typeof says === 'string') expect(found).toBe(says);
  else expect(found).toMatch(says);
});

describe('no bytes make the reader throw', () => {
  const answers = (file: Uint8Array): void => {
    const found = parseCapture(file, service(PROTOCOL.TCP), true);
    if (typeof found === 'string') expect(found).toMatch(/^[^\n]+$/);
    else expect(found.records.every(({ atMs }) => atMs >= 0)).toBe(true);
  };

  test('random ones behind a magic number', () => {
    const magic = fc.constantFrom(
      PCAP.subarray(0, 24),
      PCAPNG.subarray(0, 28),
      PCAPNG.subarray(0, 48),
      new Uint8Array(),
    );
    fc.assert(
      fc.property(magic, fc.uint8Array({ maxLength: 200 }), (head, rest) => answers(joined([head, rest]))),
    );
  });

  test('sound files with some bytes changed', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(fc.constantFrom(PCAP, PCAPNG, pcapngOf(TALK, false, 1, 9)), changes, (sound, changed) => {
        const file = sound.slice();
        for (const [where, value] of changed) file[where % file.length] = value;
        answers(file);
      }),
      { numRuns: 500 },
    );
  });
});

test('captures are known by their first bytes', () => {
  expect([PCAP, PCAPNG, new Uint8Array(3), Uint8Array.from([116, 105, 109, 101])].map(isCapture)).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

function ends(
  from: string,
  to: string,
): { src: ReturnType<typeof address>; sport: number; dst: ReturnType<typeof address>; dport: number } {
  const [src, sport] = from.split(' ');
  const [dst, dport] = to.split(' ');
  return { src: address(src!), sport: Number(sport), dst: address(dst!), dport: Number(dport) };
}
