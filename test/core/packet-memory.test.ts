import { describe, expect, test } from 'vitest';
import { PROTOCOL, type ServiceConfig } from '../../src/core/config.ts';
import { HOOK, VERDICT } from '../../src/core/verdict.ts';
import { TCP_FLAG } from '../../src/core/wire/tcp.ts';
import { ALL_FLAGS, address, destConfig, makeDirector, serviceConfig } from '../support/core.ts';
import { bytesPerCall } from '../support/core-memory.ts';
import { packetOf, type Segment } from '../support/core-packets.ts';

test('the measure sees the smallest object', () => {
  let kept: unknown;
  const bytes = bytesPerCall(() => {
    kept = { value: kept === undefined };
  });
  expect(kept).toBeDefined();
  expect(bytes).toBeGreaterThan(12);
});

describe('a packet of an established connection leaves nothing on the heap', () => {
  const cases = [
    { name: 'IPv4 TCP', vip: '10.0.0.1', server: '10.2.0.1', client: '10.1.0.2', protocol: PROTOCOL.TCP },
    { name: 'IPv4 UDP', vip: '10.0.0.1', server: '10.2.0.1', client: '10.1.0.2', protocol: PROTOCOL.UDP },
    {
      name: 'high addresses',
      vip: '200.0.0.1',
      server: '201.2.0.1',
      client: '202.1.0.2',
      protocol: PROTOCOL.TCP,
    },
    { name: 'IPv6 TCP', vip: 'fd00::1', server: 'fd00:2::1', client: 'fd00:1::2', protocol: PROTOCOL.TCP },
  ];

  test.each(cases)('$name, both ways', ({ vip, server, client, protocol }) => {
    const { ask, fromClient, fromServer } = setUp(serviceConfig({ vip, protocol }), server, client);
    expect(ask(packetOf(fromClient(TCP_FLAG.SYN)), HOOK.LOCAL_IN)).toBe(VERDICT.TRANSMIT);
    const request = packetOf(fromClient(TCP_FLAG.ACK));
    const reply = packetOf(fromServer(TCP_FLAG.ACK));
    expect(bytesPerCall(() => void ask(request, HOOK.LOCAL_IN))).toBeLessThan(4);
    expect(bytesPerCall(() => void ask(reply, HOOK.FORWARD))).toBeLessThan(4);
    expect(ask(request, HOOK.LOCAL_IN)).toBe(VERDICT.TRANSMIT);
    expect(ask(reply, HOOK.FORWARD)).toBe(VERDICT.REPLY);
  });

  test('a packet that is not for a service', () => {
    const { ask, fromClient } = setUp(serviceConfig(), '10.2.0.1', '10.1.0.2');
    const other = packetOf({ ...fromClient(TCP_FLAG.ACK), dport: 9999 });
    expect(ask(other, HOOK.LOCAL_IN)).toBe(VERDICT.PASS);
    expect(bytesPerCall(() => void ask(other, HOOK.LOCAL_IN))).toBeLessThan(4);
  });
});

function setUp(service: ServiceConfig, server: string, client: string) {
  const director = makeDirector();
  director.apply({ op: 'add-service', service, flagsMask: ALL_FLAGS }, 0);
  director.apply({ op: 'add-dest', service, dest: destConfig(1, { ip: server }) }, 0);
  const { protocol } = service;
  const fromClient = (flags: number): Segment => ({
    protocol,
    src: address(client),
    sport: 40_000,
    dst: service.addr,
    dport: service.port,
    flags,
  });
  const fromServer = (flags: number): Segment => ({
    protocol,
    src: address(server),
    sport: 8080,
    dst: address(client),
    dport: 40_000,
    flags,
  });
  // A clock with fractions of a ms, as performance.now() has, read once for a batch of packets.
  const now = 1_000_000.25;
  const ask = (bytes: Uint8Array, hook: 0 | 1): number =>
    director.packet(bytes, 0, bytes.length, hook, 0, now);
  return { ask, fromClient, fromServer };
}
