import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DestConfig, ServiceConfig } from '../../src/core/config.ts';
import { METHOD, PROTOCOL, SERVICE_FLAG } from '../../src/core/config.ts';
import type { Director } from '../../src/core/director.ts';
import { type DropReason, HOOK, type Hook, VERDICT } from '../../src/core/verdict.ts';
import { IPV4_FRAGMENT, sealIpv4 } from '../../src/core/wire/ipv4.ts';
import { SCTP_CHUNK } from '../../src/core/wire/sctp.ts';
import { TCP_FLAG } from '../../src/core/wire/tcp.ts';
import { ALL_FLAGS, address, destConfig, makeDirector, serviceConfig } from '../support/core.ts';
import { icmpPacketOf, packetOf, type Segment } from '../support/core-packets.ts';

const { SYN, ACK, RST } = TCP_FLAG;
const CLIENT = address('10.1.0.2');
const VIP = address('10.0.0.1');
const SERVER = address('10.2.0.1');
const request: Segment = {
  protocol: PROTOCOL.TCP,
  src: CLIENT,
  sport: 4000,
  dst: VIP,
  dport: 80,
  flags: SYN,
};
const reply: Segment = { ...request, src: SERVER, sport: 8080, dst: CLIENT, dport: 4000, flags: SYN | ACK };

describe('the verdict on a packet', () => {
  test.each([
    { when: 'a SYN for a service', segment: {}, verdict: VERDICT.TRANSMIT },
    { when: 'an ACK without entry', segment: { flags: ACK }, verdict: VERDICT.PASS },
    { when: 'a SYN with RST', segment: { flags: SYN | RST }, verdict: VERDICT.PASS },
    { when: 'a port without service', segment: { dport: 81 }, verdict: VERDICT.PASS },
    { when: 'client port 20', segment: { sport: 20 }, verdict: VERDICT.PASS },
    { when: 'a service whose server is quiesced', dest: { weight: 0 }, verdict: VERDICT.REJECT },
    { when: 'the same for a datagram', udp: true, dest: { weight: 0 }, verdict: VERDICT.REJECT },
    { when: 'an IPv6 packet while there are only IPv4 services', v6: true, verdict: VERDICT.PASS },
  ])('$when: $verdict', ({ segment = {}, dest = {}, udp = false, v6 = false, verdict }) => {
    const protocol = udp ? PROTOCOL.UDP : PROTOCOL.TCP;
    const { ask } = setUp({ protocol }, dest);
    const addresses = v6 ? { src: address('fd00:1::1'), dst: address('fd00::1') } : {};
    expect(ask({ ...request, protocol, ...addresses, ...segment })).toBe(verdict);
  });

  test.each([8, 40])('%i bytes of IP options change nothing', (optionBytes) => {
    const { bytes } = setUp();
    expect(bytes(packetOf(request, { optionBytes }))).toBe(VERDICT.TRANSMIT);
  });

  test.each([8, 24])('an IPv6 extension header of %i bytes changes nothing', (optionBytes) => {
    const { bytes } = setUp({ vip: 'fd00::1' }, { ip: 'fd00:2::1' });
    const segment = { ...request, src: address('fd00:1::2'), dst: address('fd00::1') };
    expect(bytes(packetOf(segment, { optionBytes }))).toBe(VERDICT.TRANSMIT);
  });

  test.each([
    { what: 'first', fragment: IPV4_FRAGMENT.MF },
    { what: 'last', fragment: 0x0010 },
  ])('a $what fragment is to be put together first', ({ fragment }) => {
    const { bytes } = setUp();
    expect(bytes(packetOf(request, { fragment }))).toBe(VERDICT.REASSEMBLE);
  });

  test('counts go by IP length, and follow the entry', () => {
    const { director, ask, service } = setUp();
    ask({ ...request, payloadLength: 60 });
    ask(reply, HOOK.FORWARD);
    const [dest] = director.config.service(service).dests;
    expect([...dest!.stats.readLive()]).toEqual([1, 1, 1, 100, 40]);
    expect([...director.total.readLive()]).toEqual([1, 1, 1, 100, 40]);
  });

  test('a deleted server takes no packets, and counts none', () => {
    const { director, ask, service } = setUp();
    ask(request);
    director.apply({ op: 'delete-dest', service, dest: destConfig(1) }, 0);
    expect(ask({ ...request, flags: ACK })).toBe(VERDICT.DROP);
    expect(director.drops().destination_gone).toBe(1);
    expect([...director.total.readLive()]).toEqual([1, 1, 0, 40, 0]);
  });

  test('a reply of a server that the director is itself is told from a request', () => {
    const { ask } = setUp({}, { method: METHOD.ROUTE });
    ask(request);
    const fromVip = { ...reply, src: VIP, sport: 80 };
    expect(ask(fromVip, HOOK.LOCAL_OUT)).toBe(VERDICT.REPLY);
    expect(ask({ ...fromVip, dport: 4001 }, HOOK.LOCAL_OUT)).toBe(VERDICT.PASS);
  });
});

describe('packets of ESP', () => {
  const isakmp: Segment = { ...request, protocol: PROTOCOL.UDP, sport: 500, dport: 500 };
  const encrypted = ({ src, dst }: Pick<Segment, 'src' | 'dst'>): Uint8Array => {
    const b = packetOf({ ...isakmp, src, dst });
    b[9] = 50;
    sealIpv4(b, 0);
    return b;
  };
  const answer = { src: SERVER, dst: CLIENT };

  test('follow the key exchange between the same addresses, from both sides', () => {
    const { ask, bytes } = setUp({ protocol: PROTOCOL.UDP, port: 500 }, { port: 500 });
    expect(bytes(encrypted(request))).toBe(VERDICT.PASS);
    ask(isakmp);
    expect(bytes(encrypted(request))).toBe(VERDICT.TRANSMIT);
    expect(bytes(encrypted(answer), HOOK.FORWARD)).toBe(VERDICT.REPLY);
  });

  test("that are only forwarded are looked at as a server's alone", () => {
    const { ask, bytes } = setUp({ protocol: PROTOCOL.UDP, port: 500 }, { port: 500 });
    ask(isakmp);
    expect(bytes(encrypted(request), HOOK.FORWARD)).toBe(VERDICT.PASS);
  });
});

describe('malformed packets', () => {
  const cut = (length: number): Uint8Array => packetOf(request).subarray(0, length);
  const changed = (at: number, value: number): Uint8Array => {
    const b = packetOf(request);
    b[at] = value;
    return b;
  };
  test.each<{ what: string; packet: Uint8Array; reason: DropReason }>([
    { what: 'nothing', packet: cut(0), reason: 'malformed_ip' },
    { what: 'half an IP header', packet: cut(12), reason: 'malformed_ip' },
    { what: 'less than the total length', packet: cut(39), reason: 'malformed_ip' },
    { what: 'version 5', packet: changed(0, 0x55), reason: 'malformed_ip' },
    { what: 'a header of 16 bytes', packet: changed(0, 0x44), reason: 'malformed_ip' },
    { what: 'a total length below the header', packet: changed(3, 19), reason: 'malformed_ip' },
    {
      what: 'a total length that cuts the TCP header',
      packet: changed(3, 39),
      reason: 'malformed_transport',
    },
  ])('$what: dropped and counted as $reason', ({ packet, reason }) => {
    const { director, bytes } = setUp();
    expect(bytes(packet)).toBe(VERDICT.DROP);
    expect(director.drops()[reason]).toBe(1);
    expect(director.connectionCount).toBe(0);
  });

  test('a packet that is only forwarded is left to the host if its transport header is cut', () => {
    const { director, bytes } = setUp();
    expect(bytes(changed(3, 39), HOOK.FORWARD)).toBe(VERDICT.PASS);
    expect(director.drops().malformed_transport).toBe(0);
  });

  test('no byte string, and no packet with some bytes changed, makes it throw or write', () => {
    const { bytes } = setUp();
    const icmp = icmpPacketOf({ src: CLIENT, dst: VIP }, 3, 3, packetOf(request));
    const damaged = fc
      .tuple(
        fc.constantFrom(packetOf(request), icmp),
        fc.array(fc.tuple(fc.nat(59), fc.nat(255)), { maxLength: 6 }),
      )
      .map(([packet, changes]) => {
        const b = packet.slice();
        for (const [at, value] of changes) if (at < b.length) b[at] = value;
        return b;
      });
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ maxLength: 100 }), damaged),
        fc.constantFrom(0, 1, 2),
        (b, hook) => {
          const before = b.slice();
          expect(Object.values(VERDICT)).toContain(bytes(b, hook as Hook));
          expect(b).toEqual(before);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('ICMP errors', () => {
  const about = (quoted: Segment, src = CLIENT, dst = VIP, type = 3): Uint8Array =>
    icmpPacketOf({ src, dst }, type, 3, packetOf(quoted));
  const answer: Segment = { ...reply, src: VIP, sport: 80 };

  test('about a reply go to the server of the entry, and count as incoming', () => {
    const { director, ask, bytes } = setUp();
    ask(request);
    expect(bytes(about(answer))).toBe(VERDICT.TRANSMIT_ICMP);
    expect(bytes(about(answer), HOOK.FORWARD)).toBe(VERDICT.TRANSMIT_ICMP);
    expect(director.packetConn).toBeGreaterThanOrEqual(0);
    expect([...director.total.readLive()]).toEqual([1, 3, 0, 40 + 2 * 68, 0]);
  });

  test('about a request go to the client, and count as outgoing', () => {
    const { director, ask, bytes } = setUp();
    ask(request);
    const quoted = { ...request, dst: SERVER, dport: 8080 };
    expect(bytes(about(quoted, SERVER, CLIENT), HOOK.FORWARD)).toBe(VERDICT.REPLY_ICMP);
    expect([...director.total.readLive()]).toEqual([1, 1, 1, 40, 68]);
  });

  test('of IPv6 are matched alike', () => {
    const { ask, bytes } = setUp({ vip: 'fd00::1' }, { ip: 'fd00:2::1' });
    const [client, vip] = [address('fd00:1::2'), address('fd00::1')];
    ask({ ...request, src: client, dst: vip });
    const quoted = packetOf({ ...answer, src: vip, dst: client });
    expect(bytes(icmpPacketOf({ src: client, dst: vip }, 1, 4, quoted))).toBe(VERDICT.TRANSMIT_ICMP);
    expect(bytes(icmpPacketOf({ src: client, dst: vip }, 129, 0, quoted))).toBe(VERDICT.PASS);
  });

  test('with a wrong checksum are dropped', () => {
    const { director, ask, bytes } = setUp();
    ask(request);
    const wrong = about(answer);
    wrong[wrong.length - 1]! ^= 1;
    expect(bytes(wrong)).toBe(VERDICT.DROP);
    expect(director.drops().bad_icmp_checksum).toBe(1);
  });

  test('about nothing known pass, unless schedule_icmp lets them open an entry', () => {
    const { director, bytes, set } = setUp();
    expect(bytes(about(answer))).toBe(VERDICT.PASS);
    set('schedule_icmp', 1);
    expect(bytes(about(answer))).toBe(VERDICT.TRANSMIT_ICMP);
    expect(director.connectionCount).toBe(1);
    expect(bytes(about({ ...answer, sport: 81 }))).toBe(VERDICT.PASS);
  });

  test('that would open an entry are dropped when there is no server', () => {
    const { director, bytes, set } = setUp({}, { weight: 0 });
    set('schedule_icmp', 1);
    expect(bytes(about(answer))).toBe(VERDICT.DROP);
    expect(director.drops().icmp_no_destination).toBe(1);
  });

  test.each([0, 5, 8, 12])('of type %i are not errors of a connection', (type) => {
    const { ask, bytes } = setUp();
    ask(request);
    expect(bytes(about(answer, CLIENT, VIP, type))).toBe(VERDICT.PASS);
  });
});

describe('settings of the packet path', () => {
  test('nat_icmp_send refuses packets of a masqueraded server that belong to nothing, but no resets', () => {
    const { ask, set } = setUp();
    expect(ask(reply, HOOK.FORWARD)).toBe(VERDICT.PASS);
    set('nat_icmp_send', 1);
    expect(ask(reply, HOOK.FORWARD)).toBe(VERDICT.REJECT);
    expect(ask({ ...reply, flags: RST }, HOOK.FORWARD)).toBe(VERDICT.PASS);
    expect(ask({ ...reply, sport: 8081 }, HOOK.FORWARD)).toBe(VERDICT.PASS);
    expect(ask(reply, HOOK.LOCAL_OUT)).toBe(VERDICT.REJECT);
  });

  test('a one-packet entry can be read until the next call, and is never found', () => {
    const { director, ask } = setUp({ protocol: PROTOCOL.UDP, flags: SERVICE_FLAG.ONE_PACKET });
    const datagram = { ...request, protocol: PROTOCOL.UDP };
    expect(ask(datagram)).toBe(VERDICT.TRANSMIT);
    expect(director.target(director.packetConn).dport).toBe(8080);
    expect(ask({ ...reply, protocol: PROTOCOL.UDP }, HOOK.FORWARD)).toBe(VERDICT.PASS);
    expect(director.connectionCount).toBe(0);
  });

  test('an entry without client port takes the port of its first packet', () => {
    const { director, ask } = setUp();
    ask(request);
    const { conns } = director.life;
    const control = director.packetConn;
    const flow = { caddr: CLIENT, vaddr: VIP, dest: director.life.destOf(control) };
    const id = director.life.create(PROTOCOL.TCP, flow.caddr, 0, flow.vaddr, 5001, flow.dest, 5001, 0, 0);
    conns.expectClientPort(id);
    director.life.adopt(id, control);
    expect(ask({ ...request, sport: 4321, dport: 5001 })).toBe(VERDICT.TRANSMIT);
    expect(director.packetConn).toBe(id);
    expect(conns.cport(id)).toBe(4321);
    expect(ask({ ...request, sport: 4322, dport: 5001 })).toBe(VERDICT.PASS);
  });

  test.each([50, 51])('protocol %i follows the key exchange of the same addresses', (protocol) => {
    const { director, ask, bytes } = setUp({ protocol: PROTOCOL.UDP, port: 500 }, { port: 500 });
    const security = packetOf({ ...request, protocol: PROTOCOL.UDP });
    security[9] = protocol;
    expect(bytes(security)).toBe(VERDICT.PASS);
    ask({ ...request, protocol: PROTOCOL.UDP, sport: 500, dport: 500 });
    expect(bytes(security)).toBe(VERDICT.TRANSMIT);
    expect(director.target(director.packetConn).daddr).toEqual(SERVER);
  });

  test('an ABORT behind a cookie chunk ends an SCTP association', () => {
    const { director, ask, bytes } = setUp({ protocol: PROTOCOL.SCTP });
    const chunk = (flags: number, payloadLength: number) =>
      packetOf({ ...request, protocol: PROTOCOL.SCTP, flags, payloadLength });
    bytes(chunk(SCTP_CHUNK.INIT, 16));
    const both = chunk(SCTP_CHUNK.COOKIE_ECHO, 16);
    both.set([SCTP_CHUNK.COOKIE_ECHO, 0, 0, 8], 32);
    both.set([SCTP_CHUNK.ABORT, 0, 0, 4], 40);
    bytes(both);
    expect(director.life.conns.state(director.packetConn)).toBe(13);
    expect(ask({ ...request, protocol: PROTOCOL.SCTP, flags: SCTP_CHUNK.DATA, sport: 4001 })).toBe(
      VERDICT.PASS,
    );
  });
});

function setUp(
  service: Partial<ServiceConfig> & { vip?: string } = {},
  dest: Partial<DestConfig> & { ip?: string } = {},
) {
  const config = serviceConfig(service);
  const director: Director = makeDirector();
  director.apply({ op: 'add-service', service: config, flagsMask: ALL_FLAGS }, 0);
  director.apply({ op: 'add-dest', service: config, dest: destConfig(1, dest) }, 0);
  const bytes = (b: Uint8Array, hook: Hook = HOOK.LOCAL_IN): number =>
    director.packet(b, 0, b.length, hook, 0, 0);
  return {
    director,
    service: config,
    bytes,
    ask: (segment: Segment, hook: Hook = HOOK.LOCAL_IN): number => bytes(packetOf(segment), hook),
    set: (name: string, value: number) => director.apply({ op: 'set-sysctl', name, value: String(value) }, 0),
  };
}
