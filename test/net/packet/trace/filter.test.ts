import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TCP_FLAG } from '../../../../src/core/wire/tcp.ts';
import { parseFilter } from '../../../../src/net/packet/trace/filter.ts';
import { address } from '../../../support/core.ts';
import { icmpPacketOf, packetOf, type Segment } from '../../../support/core-packets.ts';

const TCP4: Segment = {
  protocol: 6,
  src: address('192.0.2.7'),
  sport: 40_000,
  dst: address('10.0.0.1'),
  dport: 80,
  flags: TCP_FLAG.SYN,
};
const UDP6: Segment = {
  protocol: 17,
  src: address('2001:db8::7'),
  sport: 5353,
  dst: address('2001:db8::1'),
  dport: 53,
};

const PACKETS = {
  tcp4: packetOf(TCP4),
  udp6: packetOf(UDP6),
  fragment4: packetOf(TCP4, { fragment: 0x2001 }),
  ping4: icmpPacketOf(TCP4, 8, 0, new Uint8Array(8)),
  ping6: icmpPacketOf(UDP6, 128, 0, new Uint8Array(8)),
} as const;

const taken = (text: string): string[] => {
  const filter = parseFilter(text);
  return Object.entries(PACKETS)
    .filter(([, packet]) => filter.matches(packet, 0, packet.length))
    .map(([name]) => name);
};

describe('a filter', () => {
  test.each([
    ['host 192.0.2.7', ['tcp4', 'fragment4', 'ping4']],
    ['host 10.0.0.1', ['tcp4', 'fragment4', 'ping4']],
    ['host 2001:db8:0::1', ['udp6', 'ping6']],
    ['host 192.0.2.7 and host 10.0.0.1 and tcp', ['tcp4', 'fragment4']],
    ['host 192.0.2.7 and host 10.0.0.2', []],
    ['host ::', []],
    ['port 80', ['tcp4']],
    ['port 40000', ['tcp4']],
    ['port 5353 and port 53', ['udp6']],
    ['udp and port 80', []],
    ['tcp', ['tcp4', 'fragment4']],
    ['  udp  ', ['udp6']],
    ['tcp and tcp', ['tcp4', 'fragment4']],
    ['sctp', []],
    ['icmp', ['ping4']],
    ['icmp6 and host 2001:db8::7', ['ping6']],
  ])('%s takes %j', (text, names) => {
    expect(taken(text)).toEqual(names);
  });

  test.each([
    ['', 'a filter wants host ADDRESS, port NUMBER, tcp, udp, sctp, icmp or icmp6, not its end'],
    ['tcp and', 'a filter wants host ADDRESS, port NUMBER, tcp, udp, sctp, icmp or icmp6, not its end'],
    ['not tcp', "a filter wants host ADDRESS, port NUMBER, tcp, udp, sctp, icmp or icmp6, not 'not'"],
    ['toString', "a filter wants host ADDRESS, port NUMBER, tcp, udp, sctp, icmp or icmp6, not 'toString'"],
    ['tcp or udp', "terms are joined by 'and', not 'or'"],
    ['tcp port 80', "terms are joined by 'and', not 'port'"],
    ['host', 'host wants an IPv4 or IPv6 address, not its end'],
    ['host web1', "host wants an IPv4 or IPv6 address, not 'web1'"],
    ['port http', "port wants a number to 65535, not 'http'"],
    ['port 65536', "port wants a number to 65535, not '65536'"],
    ['tcp and udp', 'no packet is both tcp and udp'],
    ['port 3 and icmp', 'icmp has no ports'],
  ])('%j is refused: %s', (text, message) => {
    expect(() => parseFilter(text)).toThrow(new RangeError(message));
  });

  test('no byte string makes it throw, and none is read beyond its end', () => {
    const filters = ['tcp', 'host 0.0.0.0', 'port 0', 'icmp6 and host ::'].map(parseFilter);
    const start = fc.constantFrom(0x45, 0x60, 0x4f, 0);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 90 }), start, fc.nat(20), (b, first, at) => {
        if (b.length > at) b[at] = first;
        for (const filter of filters) {
          const whole = filter.matches(
            b.slice(0, at + Math.max(0, b.length - at)),
            at,
            Math.max(0, b.length - at),
          );
          const longer = new Uint8Array(b.length + 64).fill(0xff);
          longer.set(b);
          expect(filter.matches(longer, at, Math.max(0, b.length - at))).toBe(whole);
        }
      }),
    );
  });
});
