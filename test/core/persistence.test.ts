import { describe, expect, test } from 'vitest';
import type { ServiceConfig } from '../../src/core/config.ts';
import { PROTOCOL } from '../../src/core/config.ts';
import type { Director } from '../../src/core/director.ts';
import { DIRECTION, NOT_OPENED, TCP_EVENT, UDP_EVENT } from '../../src/core/flow.ts';
import {
  ALL_FLAGS,
  destConfig,
  flowTo,
  makeDirector,
  persistent,
  sec,
  serverOf,
  serviceConfig,
} from '../support/core.ts';

describe('persistence', () => {
  test('keeps a client on its server, and gives another client the next one', () => {
    const { director, connect } = setUp(persistent(600));
    const first = connect('10.1.0.2');
    expect([connect('10.1.0.2'), connect('10.1.0.2')]).toEqual([first, first]);
    expect(connect('10.1.0.3')).not.toBe(first);
    expect(entries(director)).toContain('TCP 0A010002 0000 0A000001 0050 0A020002 1F90 NONE');
  });

  test.each([
    { mask: 0xffffff00, sameServer: true },
    { mask: 0xffffffff, sameServer: false },
  ])('with netmask $mask two clients of one network share a server: $sameServer', ({ mask, sameServer }) => {
    const { connect } = setUp({ ...persistent(600), netmask: mask });
    expect(connect('10.1.0.2') === connect('10.1.0.3')).toBe(sameServer);
  });

  test('masks an IPv6 client by prefix', () => {
    const { director, connect } = setUp({ ...persistent(600), vip: 'fd00::1', netmask: 64 });
    expect(connect('10.1.0.2')).toBe(connect('10.1.0.3'));
    expect(entries(director)).toContain('fd00:0001:0000:0000:0000:0000:0000:0000 0000');
  });

  test('forgets a client whose template ended, and starts the timeout anew with each connection', () => {
    const { director, connect, end } = setUp(persistent(30));
    const ids = [0, 20, 40].map((at) => connect.at('10.1.0.2', at));
    for (const id of ids) end(id, 40);
    director.expire(sec(69));
    expect(entries(director)).toContain('0A010002 0000');
    director.expire(sec(70));
    expect(entries(director)).not.toContain('0A010002 0000');
  });

  test('prolongs a template that still controls a connection by 60 s, and keeps 60 s from then on', () => {
    const { director, connect } = setUp(persistent(5));
    connect.at('10.1.0.2', 0);
    director.expire(sec(5));
    expect(entries(director, 5)).toMatch(/0A010002 0000 .* NONE +60/);
    connect.at('10.1.0.2', 20);
    expect(entries(director, 20)).toMatch(/0A010002 0000 .* NONE +60/);
  });

  test('marks a template ASSURED once a TCP connection is established', () => {
    const { director, connect } = setUp(persistent(600));
    const id = connect.at('10.1.0.2', 0);
    expect(entries(director)).toMatch(/0A010002 0000 .* NONE/);
    director.segment(id, DIRECTION.OUTPUT, TCP_EVENT.SYN, 1, 60, 0);
    director.segment(id, DIRECTION.INPUT, TCP_EVENT.ACK, 1, 52, 0);
    expect(entries(director)).toMatch(/0A010002 0000 .* ASSURED/);
  });

  test('marks a template ASSURED once a UDP answer passed', () => {
    const { director, connect } = setUp({ ...persistent(600), protocol: PROTOCOL.UDP });
    const id = connect.at('10.1.0.2', 0);
    expect(entries(director)).toMatch(/0A010002 0000 .* NONE/);
    director.segment(id, DIRECTION.OUTPUT, UDP_EVENT.DATAGRAM, 1, 60, 0);
    expect(entries(director)).toMatch(/0A010002 0000 .* ASSURED/);
  });

  test('keeps sending a client to a quiesced server, until expire_quiescent_template is on', () => {
    const { director, service, connect } = setUp(persistent(600));
    const server = connect('10.1.0.2');
    director.apply({ op: 'edit-dest', service, dest: destConfig(server, { weight: 0 }) }, 0);
    expect(connect('10.1.0.2')).toBe(server);
    director.apply({ op: 'set-sysctl', name: 'expire_quiescent_template', value: '1' }, 0);
    expect(connect('10.1.0.2')).not.toBe(server);
    expect(entries(director)).toContain('0A010002 0000 0A000001 FFFF 0A020002 FFFF');
  });

  test('gives a client another server at once when its own is deleted', () => {
    const { director, service, connect } = setUp(persistent(600));
    const server = connect('10.1.0.2');
    director.apply({ op: 'delete-dest', service, dest: destConfig(server) }, 0);
    expect(connect('10.1.0.2')).not.toBe(server);
  });

  test('counts live templates of a server', () => {
    const { director, service, connect } = setUp(persistent(600));
    for (const client of ['10.1.0.2', '10.1.0.2', '10.1.0.3', '10.1.0.4']) connect(client);
    const dests = director.ask({ query: 'dests', service }, 0);
    expect(dests.map((dest) => dest.persistent).sort()).toEqual([1, 2]);
  });
});

describe('thresholds', () => {
  test('a server takes no more than its upper threshold, and comes back below the lower one', () => {
    const { director, service, connect, end } = setUp({}, { upperThreshold: 2, lowerThreshold: 1 });
    const ids = [1, 2, 3, 4].map((n) => connect.at(`10.1.0.${n}`, 0));
    expect(director.open(flowTo(service, 9999), 1, 60, 0)).toBe(NOT_OPENED.NO_DEST);
    end(ids[0]!, 0);
    director.expire(sec(10));
    expect(director.open(flowTo(service, 9999), 1, 60, sec(10))).toBe(NOT_OPENED.NO_DEST);
    end(ids[2]!, 10);
    director.expire(sec(20));
    expect(director.open(flowTo(service, 9999), 1, 60, sec(20))).toBeGreaterThanOrEqual(0);
  });
});

/** A service with servers 1 and 2, and ways to connect to it. */
function setUp(config: Parameters<typeof serviceConfig>[0], dest: Parameters<typeof destConfig>[1] = {}) {
  const director = makeDirector();
  const service: ServiceConfig = serviceConfig(config);
  director.apply({ op: 'add-service', service, flagsMask: ALL_FLAGS }, 0);
  for (const n of [1, 2]) {
    const ip = service.family === 2 ? `10.2.0.${n}` : `fd00:2::${n}`;
    director.apply({ op: 'add-dest', service, dest: destConfig(n, { ip, ...dest }) }, 0);
  }
  let cport = 40_000;
  const at = (client: string, atSec: number): number =>
    director.open(flowTo(service, cport++, client), 1, 60, sec(atSec));
  const connect = Object.assign(
    (client: string): number => {
      const id = at(client, 0);
      const { daddr } = director.target(id);
      return service.family === 2 ? serverOf(director, id) : daddr.words[3];
    },
    { at },
  );
  /** Resets a connection, so that its entry lives 10 s more. */
  const end = (id: number, atSec: number): void => {
    director.segment(id, DIRECTION.OUTPUT, TCP_EVENT.RST, 1, 40, sec(atSec));
  };
  return { director, service, connect, end };
}

function entries(director: Director, atSec = 0): string {
  return director.ask({ query: 'proc', name: 'ip_vs_conn', from: 0 }, sec(atSec)).text;
}
