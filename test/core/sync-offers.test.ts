import { describe, expect, test } from 'vitest';
import { METHOD, PROTOCOL, type ServiceConfig } from '../../src/core/config.ts';
import type { Director } from '../../src/core/director.ts';
import { type ConnId, DIRECTION, TCP_EVENT, UDP_EVENT } from '../../src/core/flow.ts';
import { SCTP_EVENT } from '../../src/core/sctp.ts';
import { SyncOffers } from '../../src/core/sync-offers.ts';
import {
  ALL_FLAGS,
  destConfig,
  flowTo,
  makeDirector,
  persistent,
  sec,
  serviceConfig,
} from '../support/core.ts';
import { bytesPerCall } from '../support/core-memory.ts';

const { INPUT, OUTPUT } = DIRECTION;
const { SYN, ACK, FIN, RST } = TCP_EVENT;

describe('with the threshold 3 and the period 50 of a fresh director', () => {
  test('a UDP flow is told at its packets 3, 53 and 103', () => {
    const { director, service, told } = master({ protocol: PROTOCOL.UDP, port: 53 });
    const toldAt: number[] = [];
    for (let packet = 1; packet <= 110; packet++) {
      director.open(flowTo(service, 4000), 1, 60, packet);
      if (told.splice(0).length > 0) toldAt.push(packet);
    }
    expect(toldAt).toEqual([3, 53, 103]);
  });

  test('packets of the server never tell', () => {
    const { director, service, told } = master({ protocol: PROTOCOL.UDP, port: 53 });
    const id = director.open(flowTo(service, 4000), 1, 60, 0);
    for (let n = 0; n < 100; n++) director.segment(id, OUTPUT, UDP_EVENT.DATAGRAM, 1, 60, 0);
    expect(told).toEqual([]);
  });

  test('several packets counted at once tell if the third is among them', () => {
    const { director, service, told } = master();
    const id = established(director, service, 4000);
    director.touch(id, INPUT, 20, 30_000, 0);
    expect(told).toEqual([id]);
    director.touch(id, INPUT, 27, 40_000, 0);
    expect(told).toEqual([id]);
    director.touch(id, INPUT, 4, 6000, 0);
    expect(told).toEqual([id, id]);
  });

  test.each([
    ['that never gets established', [SYN, SYN, SYN, SYN], 0],
    ['that is reset', [SYN, ACK, RST], 1],
    ['that is closed by the client', [SYN, ACK, FIN], 1],
    ['of three packets and an end', [SYN, ACK, ACK, FIN], 2],
  ])('a TCP connection %s', (_, events, times) => {
    const { director, service, told } = master({}, METHOD.ROUTE);
    const [, ...rest] = events;
    const id = director.open(flowTo(service, 4000), 1, 60, 0);
    for (const event of rest) director.segment(id, INPUT, event, 1, 60, 0);
    expect(told).toHaveLength(times);
  });

  test('each state on the way to the end is told once', () => {
    const { director, service, told } = master({}, METHOD.ROUTE);
    const id = established(director, service, 4000);
    director.segment(id, INPUT, FIN, 1, 60, 0);
    director.segment(id, INPUT, ACK, 1, 60, 0);
    director.segment(id, INPUT, ACK, 1, 60, 0);
    director.segment(id, INPUT, RST, 1, 60, 0);
    // At FIN, at the packet 3 of the rule for every state, at RST.
    expect(told).toHaveLength(2);
  });

  test('SCTP follows the same rules from its shutdown on', () => {
    const { director, service, told } = master({ protocol: PROTOCOL.SCTP });
    const id = director.open(flowTo(service, 4000), 1, 60, 0);
    expect(told).toEqual([]);
    director.segment(id, OUTPUT, SCTP_EVENT.INIT_ACK, 1, 60, 0);
    director.segment(id, INPUT, SCTP_EVENT.COOKIE_ECHO, 1, 60, 0);
    director.segment(id, OUTPUT, SCTP_EVENT.COOKIE_ACK, 1, 60, 0);
    director.segment(id, INPUT, SCTP_EVENT.SHUTDOWN, 1, 60, 0);
    expect(told).toEqual([id]);
  });

  test('a used id says nothing about the entry that has it next', () => {
    const { director, service, told } = master({}, METHOD.ROUTE);
    const first = established(director, service, 4000);
    director.segment(first, INPUT, RST, 1, 60, 0);
    expect(told).toEqual([first]);
    director.expire(sec(11));
    const second = established(director, service, 4001, sec(11));
    expect(second).toBe(first);
    director.segment(second, INPUT, RST, 1, 60, sec(11));
    expect(told).toEqual([first, second]);
  });
});

describe('a template', () => {
  test('is told at every packet of its connections', () => {
    const { director, service, told } = master(persistent(100));
    const id = established(director, service, 4000);
    const template = director.life.conns.control(id);
    expect(told).toEqual([template, template]);
    director.segment(id, INPUT, ACK, 1, 60, 0);
    expect(told.slice(2)).toEqual([id, template]);
  });

  test('takes the place of its connections with sync_persist_mode', () => {
    const { director, service, told } = master(persistent(100));
    set(director, 'sync_persist_mode', '1');
    const id = established(director, service, 4000);
    for (let n = 0; n < 10; n++) director.segment(id, INPUT, ACK, 1, 60, 0);
    expect(new Set(told)).toEqual(new Set([director.life.conns.control(id)]));
  });

  test('is told when its timer ends and it goes on', () => {
    const { director, service, told } = master(persistent(5));
    const id = established(director, service, 4000);
    told.splice(0);
    director.expire(sec(6));
    expect(told).toEqual([director.life.conns.control(id)]);
  });

  test('with format 0 is told only with its connection', () => {
    const { director, service, told } = master(persistent(100));
    set(director, 'sync_version', '0');
    const id = established(director, service, 4000);
    expect(told).toEqual([]);
    director.segment(id, INPUT, ACK, 1, 60, 0);
    expect(told).toEqual([id, director.life.conns.control(id)]);
  });
});

describe('sync_threshold', () => {
  test.each([
    ['1 3', [1, 4, 7, 10]],
    ['0 2', [2, 4, 6, 8, 10]],
    ['4 0', [4]],
  ])('%s tells at the packets %j', (value, packets) => {
    const { director, service, told } = master({ protocol: PROTOCOL.UDP, port: 53 });
    set(director, 'sync_threshold', value);
    const seen: number[] = [];
    for (let packet = 1; packet <= 10; packet++) {
      director.open(flowTo(service, 4000), 1, 60, 0);
      if (told.splice(0).length > 0) seen.push(packet);
    }
    expect(seen).toEqual(packets);
  });

  test('of format 0, IPv6 is never told', () => {
    const { director, service, told } = master({ protocol: PROTOCOL.UDP, port: 53, vip: 'fd00::1' });
    set(director, 'sync_version', '0');
    for (let n = 0; n < 60; n++) director.open(flowTo(service, 4000), 1, 60, 0);
    expect(told).toEqual([]);
  });
});

describe('sync_refresh_period', () => {
  test('without a period tells at once, then when the end has moved so far', () => {
    const { director, service, told } = master({ protocol: PROTOCOL.UDP, port: 53 });
    set(director, 'sync_threshold', '3 0');
    set(director, 'sync_refresh_period', '20');
    const seen: number[] = [];
    for (let second = 0; second <= 60; second++) {
      director.open(flowTo(service, 4000), 1, 60, sec(second));
      if (told.splice(0).length > 0) seen.push(second);
    }
    expect(seen).toEqual([0, 20, 40, 60]);
  });

  test('is bounded by half the timeout, of ten seconds at least', () => {
    const { director, service, told } = master({ protocol: PROTOCOL.UDP, port: 53 });
    director.apply({ op: 'set-timeouts', timeouts: { tcpSec: 0, tcpFinSec: 0, udpSec: 16 } }, 0);
    set(director, 'sync_threshold', '3 0');
    set(director, 'sync_refresh_period', '600');
    const seen: number[] = [];
    for (let second = 0; second <= 30; second++) {
      director.open(flowTo(service, 4000), 1, 60, sec(second));
      if (told.splice(0).length > 0) seen.push(second);
    }
    expect(seen).toEqual([0, 10, 20, 30]);
  });

  test('repeats up to sync_retries times, each after an eighth of it', () => {
    const { director, service, told } = master({ protocol: PROTOCOL.UDP, port: 53 });
    set(director, 'sync_threshold', '3 0');
    set(director, 'sync_refresh_period', '80');
    set(director, 'sync_retries', '2');
    const seen: number[] = [];
    for (let second = 0; second <= 100; second++) {
      director.open(flowTo(service, 4000), 1, 60, sec(second));
      if (told.splice(0).length > 0) seen.push(second);
    }
    expect(seen).toEqual([0, 10, 20, 100]);
  });
});

test('a packet that tells nothing allocates nothing', () => {
  const { director, service, told } = master({}, METHOD.ROUTE);
  const id = established(director, service, 4000);
  set(director, 'sync_threshold', '0 1000000');
  told.splice(0);
  expect(bytesPerCall(() => director.segment(id, INPUT, ACK, 1, 60, 0))).toBeLessThan(4);
  expect(told).toEqual([]);
});

function master(overrides: Partial<ServiceConfig> & { vip?: string } = {}, method: number = METHOD.MASQ) {
  const director = makeDirector();
  const service = serviceConfig(overrides);
  director.apply({ op: 'add-service', service, flagsMask: ALL_FLAGS }, 0);
  const ip = service.family === 2 ? '10.2.0.1' : 'fd00:2::1';
  director.apply({ op: 'add-dest', service, dest: destConfig(1, { ip, method }) }, 0);
  const told: ConnId[] = [];
  const sink = { offer: (id: ConnId) => void told.push(id) };
  director.setSyncOffers(new SyncOffers(director.life.conns, director.settings, sink));
  return { director, service, told };
}

/** Two packets of the client: SYN and ACK. */
function established(director: Director, service: ServiceConfig, cport: number, now = 0): ConnId {
  const id = director.open(flowTo(service, cport), 1, 60, now);
  director.segment(id, OUTPUT, SYN, 1, 60, now);
  director.segment(id, INPUT, ACK, 1, 52, now);
  return id;
}

function set(director: Director, name: string, value: string): void {
  director.apply({ op: 'set-sysctl', name, value }, 0);
}
