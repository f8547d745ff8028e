import { describe, expect, test } from 'vitest';
import { PROTOCOL, SERVICE_FLAG, type ServiceConfig } from '../../src/core/config.ts';
import { TCP_STATE } from '../../src/core/tcp.ts';
import { HOOK, VERDICT } from '../../src/core/verdict.ts';
import { TCP_FLAG } from '../../src/core/wire/tcp.ts';
import {
  ALL_FLAGS,
  address,
  destConfig,
  fakeHost,
  makeDirector,
  persistent,
  sec,
  serviceConfig,
} from '../support/core.ts';
import { packetOf } from '../support/core-packets.ts';

const PLENTY = 5000;
/** Longer than any entry stays by itself in these tests, in periods of the defence. */
const ROUNDS = 400;

describe('the automatic modes follow memory', () => {
  test.each(['drop_entry', 'drop_packet', 'secure_tcp'])('%s is 2 while memory is low, else 1', (name) => {
    const { memory, set, value, pass } = setUp();
    set(name, 1);
    expect(value(name)).toBe('1');
    memory.free = 100;
    pass(1);
    expect(value(name)).toBe('2');
    memory.free = PLENTY;
    pass(1);
    expect(value(name)).toBe('1');
    set(name, 3);
    pass(1);
    expect(value(name)).toBe('3');
  });

  test('secure_tcp in mode 1 uses the stricter table while memory is low', () => {
    const { memory, set, pass, packet, reply, state } = setUp();
    set('secure_tcp', 1);
    packet(1, TCP_FLAG.SYN);
    reply(1, TCP_FLAG.SYN | TCP_FLAG.ACK);
    memory.free = 100;
    pass(1);
    packet(2, TCP_FLAG.SYN);
    reply(2, TCP_FLAG.SYN | TCP_FLAG.ACK);
    expect([state(1), state(2)]).toEqual([TCP_STATE.SYN_RECV, TCP_STATE.SYNACK]);
  });

  test('without a defence there is no deadline', () => {
    const { director, set } = setUp();
    expect(director.nextDeadline()).toBe(2000);
    set('drop_packet', 1);
    expect(director.nextDeadline()).toBe(1000);
    set('drop_packet', 0);
    expect(director.nextDeadline()).toBe(2000);
  });
});

describe('drop_packet', () => {
  const open = (made: ReturnType<typeof setUp>, count: number): number[] =>
    Array.from({ length: count }, (_, n) => made.packet(n + 1, TCP_FLAG.SYN));

  test.each([
    { free: 512, rate: 2 },
    { free: 768, rate: 4 },
    { free: 0, rate: 1 },
  ])('with $free of 1024 pages free drops each $rate. new flow', ({ free, rate }) => {
    const made = setUp();
    made.memory.free = free;
    made.set('drop_packet', 1);
    const dropped = open(made, 12).map((verdict, n) => (verdict === VERDICT.DROP ? n + 1 : 0));
    expect(dropped.filter(Boolean)).toEqual(Array.from({ length: 12 / rate }, (_, n) => (n + 1) * rate));
    expect(made.director.drops().drop_packet_defence).toBe(12 / rate);
  });

  test('leaves packets of entries alone', () => {
    const made = setUp();
    made.packet(1, TCP_FLAG.SYN);
    made.memory.free = 0;
    made.set('drop_packet', 1);
    expect(made.packet(1, TCP_FLAG.ACK)).toBe(VERDICT.TRANSMIT);
    expect(made.packet(2, TCP_FLAG.SYN)).toBe(VERDICT.DROP);
  });
});

describe('drop_entry', () => {
  test('ends half-open entries, and spares established ones that are in use', () => {
    const { director, set, pass, packet, state } = setUp();
    set('drop_entry', 3);
    for (let n = 1; n <= 50; n++) packet(n, TCP_FLAG.SYN);
    packet(100, TCP_FLAG.SYN);
    packet(100, TCP_FLAG.ACK);
    // A SYN_RECV entry would go by itself after 60 s.
    pass(50);
    expect(director.connectionCount).toBeLessThan(51);
    pass(9);
    expect(state(100)).toBe(1);
  });

  test('ends idle established entries with few packets, and keeps those with more than eight', () => {
    const { set, pass, packet, state } = setUp();
    packet(1, TCP_FLAG.SYN);
    packet(1, TCP_FLAG.ACK);
    for (let n = 0; n < 20; n++) packet(2, n === 0 ? TCP_FLAG.SYN : TCP_FLAG.ACK);
    set('drop_entry', 3);
    pass(ROUNDS);
    expect([state(1), state(2)]).toEqual([-1, 1]);
  });

  test('takes a template that is not assured along with its connection', () => {
    const { director, set, pass, packet } = setUp(persistent(100_000));
    packet(1, TCP_FLAG.SYN);
    expect(director.connectionCount).toBe(2);
    set('drop_entry', 3);
    pass(50);
    pass(ROUNDS);
    expect(director.connectionCount).toBe(0);
  });

  test('judges a template of a one-packet service by its idle time and packets', () => {
    const flags = SERVICE_FLAG.PERSISTENT | SERVICE_FLAG.ONE_PACKET;
    const { director, set, pass, packet } = setUp({ protocol: PROTOCOL.UDP, flags, timeoutSec: 100_000 });
    packet(1, 0);
    director.expire(0);
    set('drop_entry', 3);
    pass(59);
    expect(director.connectionCount).toBe(1);
    pass(ROUNDS);
    expect(director.connectionCount).toBe(0);
  });
});

function setUp(service: Partial<ServiceConfig> = {}) {
  const memory = { free: PLENTY };
  const director = makeDirector({ host: { ...fakeHost, freePages: () => memory.free } });
  const config = serviceConfig(service);
  director.apply({ op: 'add-service', service: config, flagsMask: ALL_FLAGS }, 0);
  director.apply({ op: 'add-dest', service: config, dest: destConfig(1) }, 0);
  let now = 0;
  const client = address('10.1.0.2');
  return {
    memory,
    director,
    set: (name: string, value: number) =>
      director.apply({ op: 'set-sysctl', name, value: String(value) }, now),
    value: (name: string) => director.ask({ query: 'sysctl', name }, now)[0]?.value,
    pass: (seconds: number) => {
      for (let n = 0; n < seconds; n++) {
        now += sec(1);
        director.expire(now);
      }
    },
    packet: (sport: number, flags: number): number => {
      const { protocol, addr: dst, port: dport } = config;
      const bytes = packetOf({ protocol, src: client, sport, dst, dport, flags });
      return director.packet(bytes, 0, bytes.length, HOOK.LOCAL_IN, 0, now);
    },
    reply: (dport: number, flags: number): void => {
      const server = { protocol: config.protocol, src: address('10.2.0.1'), sport: 8080 };
      const bytes = packetOf({ ...server, dst: client, dport, flags });
      director.packet(bytes, 0, bytes.length, HOOK.FORWARD, 0, now);
    },
    state: (cport: number): number => {
      const { conns } = director.life;
      const id = conns.findIn(config.protocol, client, cport, config.addr, config.port);
      return id < 0 ? -1 : conns.state(id);
    },
  };
}
