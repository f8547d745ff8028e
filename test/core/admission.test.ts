import { describe, expect, test } from 'vitest';
import { METHOD, PROTOCOL, SERVICE_FLAG, type ServiceConfig } from '../../src/core/config.ts';
import { CONN_FLAG } from '../../src/core/conn-flags.ts';
import { HOOK, VERDICT } from '../../src/core/verdict.ts';
import { TCP_FLAG } from '../../src/core/wire/tcp.ts';
import { ALL_FLAGS, address, destConfig, makeDirector, sec, serviceConfig } from '../support/core.ts';
import { packetOf, type Segment } from '../support/core-packets.ts';

const MARKED = { vip: '0.0.0.0', protocol: 0, port: 0, fwmark: 5 };

describe('a fwmark service', () => {
  test('takes marked packets to any address, of any protocol, and keeps the port', () => {
    const { director, packet } = setUp(MARKED, 0);
    for (const protocol of [PROTOCOL.TCP, PROTOCOL.UDP, PROTOCOL.SCTP]) {
      expect(packet({ protocol, dport: 1234, flags: protocol === PROTOCOL.SCTP ? 1 : TCP_FLAG.SYN }, 5)).toBe(
        VERDICT.TRANSMIT,
      );
      expect(director.target(director.packetConn).dport).toBe(1234);
    }
    expect(packet({ dport: 1234, sport: 4001 }, 6)).toBe(VERDICT.PASS);
  });

  test('is preferred to an exact one, which serves packets of other marks', () => {
    const { director, packet } = setUp(MARKED, 0);
    const exact = serviceConfig();
    director.apply({ op: 'add-service', service: exact, flagsMask: ALL_FLAGS }, 0);
    director.apply({ op: 'add-dest', service: exact, dest: destConfig(2) }, 0);
    const server = (sport: number, mark: number): number => {
      packet({ sport }, mark);
      return director.target(director.packetConn).daddr.words[0] & 255;
    };
    expect([server(4000, 5), server(4001, 6), server(4002, 0)]).toEqual([1, 2, 2]);
  });

  test('without server refuses, and with cache_bypass lets packets to other hosts go on', () => {
    const { director, packet, set } = setUp(MARKED, 0, []);
    expect(packet({}, 5)).toBe(VERDICT.REJECT);
    set('cache_bypass', 1);
    expect(packet({}, 5)).toBe(VERDICT.TRANSMIT);
    expect(director.target(director.packetConn).method).toBe(METHOD.BYPASS);
    expect(packet({ dst: address('127.0.0.9') }, 5)).toBe(VERDICT.REJECT);
    expect(packet({ dst: address('224.0.0.9') }, 5)).toBe(VERDICT.REJECT);
    director.expire(sec(61));
    expect(director.connectionCount).toBe(0);
  });
});

test('a service without own port takes every port once it is persistent', () => {
  const flags = SERVICE_FLAG.PERSISTENT;
  const { director, packet } = setUp({ port: 0, flags, timeoutSec: 60 }, 0);
  expect(packet({ dport: 81 }, 0)).toBe(VERDICT.TRANSMIT);
  expect(director.target(director.packetConn).dport).toBe(81);
  expect(setUp({ port: 0 }, 0).packet({ dport: 81 }, 0)).toBe(VERDICT.REJECT);
});

test('a data port of an ftp service that is not persistent is left to the host', () => {
  const { packet } = setUp({ port: 21 }, 21);
  expect([packet({ dport: 21 }, 0), packet({ dport: 5000 }, 0), packet({ dport: 25 }, 0)]).toEqual([
    VERDICT.TRANSMIT,
    VERDICT.PASS,
    VERDICT.PASS,
  ]);
});

test('with conntrack on, new entries are marked so', () => {
  const { director, packet, set } = setUp({}, 8080);
  const isTracked = (sport: number): boolean => {
    packet({ sport }, 0);
    return (director.life.conns.flags(director.packetConn) & CONN_FLAG.NFCT) !== 0;
  };
  expect(isTracked(4000)).toBe(false);
  set('conntrack', 1);
  expect(isTracked(4001)).toBe(true);
});

test('with backup_only incoming packets pass while the backup daemon runs, and replies are still handled', () => {
  const { director, packet, set } = setUp({}, 8080);
  const syncDaemon = { state: 2, interface: 'lo', syncId: 0, maxLen: 0, group: undefined, port: 0, ttl: 0 };
  packet({}, 0);
  set('backup_only', 1);
  expect(packet({ flags: TCP_FLAG.ACK }, 0)).toBe(VERDICT.TRANSMIT);
  director.apply({ op: 'start-daemon', daemon: syncDaemon }, 0);
  expect(packet({ flags: TCP_FLAG.ACK }, 0)).toBe(VERDICT.PASS);
  const reply = { src: address('10.2.0.1'), sport: 8080, dst: address('10.1.0.2'), dport: 4000 };
  expect(packet(reply, 0, HOOK.FORWARD)).toBe(VERDICT.REPLY);
});

function setUp(
  service: Partial<ServiceConfig> & { vip?: string },
  port: number,
  servers: readonly number[] = [1],
) {
  const director = makeDirector();
  const config = serviceConfig(service);
  director.apply({ op: 'add-service', service: config, flagsMask: ALL_FLAGS }, 0);
  for (const n of servers)
    director.apply({ op: 'add-dest', service: config, dest: destConfig(n, { port }) }, 0);
  return {
    director,
    set: (name: string, value: number) => director.apply({ op: 'set-sysctl', name, value: String(value) }, 0),
    packet: (changes: Partial<Segment>, mark: number, hook: 0 | 1 | 2 = HOOK.LOCAL_IN): number => {
      const bytes = packetOf({
        protocol: PROTOCOL.TCP,
        src: address('10.1.0.2'),
        sport: 4000,
        dst: address('10.0.0.1'),
        dport: 80,
        flags: TCP_FLAG.SYN,
        ...changes,
      });
      return director.packet(bytes, 0, bytes.length, hook, mark, 0);
    },
  };
}
