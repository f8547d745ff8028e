import { describe, expect, test } from 'vitest';
import { type DestConfig, METHOD, PROTOCOL, type ServiceConfig } from '../../src/core/config.ts';
import { HOOK, type Hook, VERDICT } from '../../src/core/verdict.ts';
import { IPV4_FRAGMENT } from '../../src/core/wire/ipv4.ts';
import { ALL_FLAGS, address, destConfig, makeDirector, serviceConfig } from '../support/core.ts';
import { icmpPacketOf, packetOf, type Segment } from '../support/core-packets.ts';

const CLIENT = address('10.1.0.2');
const VIP = address('10.0.0.1');
const SERVER = address('10.2.0.1');
const UNREACHABLE = 3;
const ESP = 50;
const AH = 51;
const request: Segment = { protocol: PROTOCOL.UDP, src: CLIENT, sport: 4000, dst: VIP, dport: 80 };
/** As the server gets it, and as the client gets the answer. */
const translated: Segment = { ...request, dst: SERVER, dport: 8080 };
const answer: Segment = { ...request, src: VIP, sport: 80, dst: CLIENT, dport: 4000 };

// Each as a kernel did with the same packet.
describe('an ICMP error that quotes a fragment', () => {
  test.each([
    {
      which: 'the first',
      fragment: IPV4_FRAGMENT.MF,
      fromClient: VERDICT.TRANSMIT_ICMP,
      fromServer: VERDICT.REPLY_ICMP,
    },
    { which: 'a later', fragment: 2, fromClient: VERDICT.PASS, fromServer: VERDICT.PASS },
  ])('is of a connection if it is $which', ({ fragment, fromClient, fromServer }) => {
    const { ask, bytes } = setUp();
    ask(request);
    const quoting = (segment: Segment): Uint8Array => packetOf(segment, { fragment });
    expect(bytes(icmp(CLIENT, VIP, quoting(answer)))).toBe(fromClient);
    expect(bytes(icmp(SERVER, CLIENT, quoting(translated)), HOOK.FORWARD)).toBe(fromServer);
  });

  test.each([
    { which: 'the first', offset: 0, verdict: VERDICT.TRANSMIT_ICMP },
    { which: 'a later', offset: 16, verdict: VERDICT.PASS },
  ])('of IPv6 likewise: $which', ({ offset, verdict }) => {
    const { ask, bytes } = setUp({ vip: 'fd00::1' }, { ip: 'fd00:2::1' });
    const [client, vip] = [address('fd00:1::2'), address('fd00::1')];
    ask({ ...request, src: client, dst: vip });
    const quoted = packetOf({ ...answer, src: vip, dst: client }, { optionBytes: 8 });
    quoted[6] = 44;
    quoted.set([PROTOCOL.UDP, 0, 0, offset | 1], 40);
    expect(bytes(icmpPacketOf({ src: client, dst: vip }, 3, 1, quoted))).toBe(verdict);
  });
});

describe.each([ESP, AH])('an ICMP error that quotes a packet of protocol %i', (protocol) => {
  const quoting = (segment: Segment): Uint8Array => {
    const b = packetOf(segment);
    b[9] = protocol;
    return b.subarray(0, 28);
  };

  test('goes the way of the key exchange', () => {
    const { ask, bytes } = setUp({ port: 500 }, { port: 500 });
    expect(bytes(icmp(CLIENT, VIP, quoting(answer)))).toBe(VERDICT.PASS);
    ask({ ...request, sport: 500, dport: 500 });
    expect(bytes(icmp(CLIENT, VIP, quoting(answer)))).toBe(VERDICT.TRANSMIT_ICMP);
    expect(bytes(icmp(SERVER, CLIENT, quoting(translated)), HOOK.FORWARD)).toBe(VERDICT.REPLY_ICMP);
  });

  test('opens no entry', () => {
    const { director, bytes, set } = setUp({ port: 500 }, { port: 500 });
    set('schedule_icmp', 1);
    expect(bytes(icmp(CLIENT, VIP, quoting(answer)))).toBe(VERDICT.PASS);
    expect(director.connectionCount).toBe(0);
  });
});

describe('a wrong checksum', () => {
  test.each([
    { method: METHOD.MASQ, from: 'server', verdict: VERDICT.DROP },
    { method: METHOD.MASQ, from: 'client', verdict: VERDICT.DROP },
    { method: METHOD.ROUTE, from: 'server', verdict: VERDICT.REPLY_ICMP },
    { method: METHOD.ROUTE, from: 'client', verdict: VERDICT.DROP },
  ])('from the $from of a connection with method $method: $verdict', ({ method, from, verdict }) => {
    const { ask, bytes } = setUp({}, { method });
    ask(request);
    const seenByServer = method === METHOD.MASQ ? translated : request;
    const isClient = from === 'client';
    const error = isClient
      ? icmp(CLIENT, VIP, packetOf(answer))
      : icmp(SERVER, CLIENT, packetOf(seenByServer));
    error[error.length - 1]! ^= 1;
    expect(bytes(error, isClient ? HOOK.LOCAL_IN : HOOK.FORWARD)).toBe(verdict);
  });
});

describe("the host's own errors", () => {
  test.each([
    { method: METHOD.MASQ, verdict: VERDICT.TRANSMIT_ICMP, inPackets: 2 },
    { method: METHOD.ROUTE, verdict: VERDICT.PASS, inPackets: 1 },
  ])('of IPv6 about a reply, method $method: $verdict', ({ method, verdict, inPackets }) => {
    const { director, ask, bytes } = setUp({ vip: 'fd00::1' }, { ip: 'fd00:2::1', method });
    const [client, vip] = [address('fd00:1::2'), address('fd00::1')];
    ask({ ...request, src: client, dst: vip });
    const quoted = packetOf({ ...answer, src: vip, dst: client });
    expect(bytes(icmpPacketOf({ src: client, dst: vip }, 1, 4, quoted), HOOK.LOCAL_OUT)).toBe(verdict);
    expect(director.total.readLive()[1]).toBe(inPackets);
  });

  test('about a request of an entry open none the other way round', () => {
    const { director, ask, bytes, set } = setUp();
    set('schedule_icmp', 1);
    const toClient = { ...serviceConfig({ protocol: PROTOCOL.UDP }), addr: CLIENT, port: 4000 };
    director.apply({ op: 'add-service', service: toClient, flagsMask: ALL_FLAGS }, 0);
    director.apply({ op: 'add-dest', service: toClient, dest: destConfig(2) }, 0);
    ask(request);
    expect(bytes(icmp(VIP, CLIENT, packetOf(request)), HOOK.LOCAL_OUT)).toBe(VERDICT.PASS);
    expect(director.connectionCount).toBe(1);
    expect(bytes(icmp(VIP, CLIENT, packetOf(request)), HOOK.LOCAL_IN)).toBe(VERDICT.TRANSMIT_ICMP);
    expect(director.connectionCount).toBe(2);
  });
});

test('an entry that a damaged error opened stays, and the packet has none', () => {
  const { director, bytes, set } = setUp();
  set('schedule_icmp', 1);
  const error = icmp(CLIENT, VIP, packetOf(answer));
  error[error.length - 1]! ^= 1;
  expect(bytes(error)).toBe(VERDICT.DROP);
  expect(director.connectionCount).toBe(1);
  expect(director.packetConn).toBe(-1);
});

const icmp = (src: Segment['src'], dst: Segment['dst'], quoted: Uint8Array): Uint8Array =>
  icmpPacketOf({ src, dst }, UNREACHABLE, 3, quoted);

function setUp(
  service: Partial<ServiceConfig> & { vip?: string } = {},
  dest: Partial<DestConfig> & { ip?: string } = {},
) {
  const config = serviceConfig({ protocol: PROTOCOL.UDP, ...service });
  const director = makeDirector();
  director.apply({ op: 'add-service', service: config, flagsMask: ALL_FLAGS }, 0);
  director.apply({ op: 'add-dest', service: config, dest: destConfig(1, dest) }, 0);
  const bytes = (b: Uint8Array, hook: Hook = HOOK.LOCAL_IN): number =>
    director.packet(b, 0, b.length, hook, 0, 0);
  return {
    director,
    bytes,
    ask: (segment: Segment): number => bytes(packetOf(segment)),
    set: (name: string, value: number) => director.apply({ op: 'set-sysctl', name, value: String(value) }, 0),
  };
}
