import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DestConfig, METHOD, PROTOCOL, type ServiceConfig } from '../../src/core/config.ts';
import { CONN_FLAG } from '../../src/core/conn-flags.ts';
import type { Director } from '../../src/core/director.ts';
import { EntryImage } from '../../src/core/entry-image.ts';
import { TCP_EVENT } from '../../src/core/flow.ts';
import { SyncIntake } from '../../src/core/sync-intake.ts';
import type { SyncRecord } from '../../src/core/sync-record.ts';
import { HOOK, VERDICT } from '../../src/core/verdict.ts';
import { TCP_FLAG } from '../../src/core/wire/tcp.ts';
import {
  ALL_FLAGS,
  address,
  destConfig,
  makeDirector,
  persistent,
  sec,
  serviceConfig,
} from '../support/core.ts';
import { packetOf } from '../support/core-packets.ts';
import { recordV1 } from '../sync/arbitraries.ts';

const { INACTIVE, NOOUTPUT, TEMPLATE, SYNC, NO_CPORT, ONE_PACKET, IN_SEQ } = CONN_FLAG;
const ESTABLISHED = 1;
const FIN_WAIT = 4;

describe('a record of an unknown connection', () => {
  test('makes an entry with its state, flags and timeout', () => {
    const { director, intake } = backup();
    expect(intake.take(record({ flags: NOOUTPUT | METHOD.ROUTE, timeoutSec: 77 }), undefined, 0)).toBe(
      'created',
    );
    expect(listing(director)).toEqual([
      'TCP 0A010005 4E21 0A000001 0050 0A020001 0050 ESTABLISHED SYNC        77',
    ]);
    expect(director.life.conns.flags(0) & ~CONN_FLAG.HASHED).toBe(SYNC | NOOUTPUT | METHOD.ROUTE);
  });

  test.each([
    ['counts as active', record({}), { active: 1, inactive: 0, persistent: 0 }],
    ['counts as inactive', record({ flags: INACTIVE }), { active: 0, inactive: 1, persistent: 0 }],
    [
      'of a template counts as one',
      record({ flags: TEMPLATE, cport: 0 }),
      { active: 0, inactive: 0, persistent: 1 },
    ],
  ])('%s on its server, and no more once it has gone', (_, told, counts) => {
    const { director, intake, service } = backup();
    addService(director, service, destConfig(1, { port: 80 }));
    intake.take(told, undefined, 0);
    expect(countsOf(director)).toEqual(counts);
    director.expire(sec(1000));
    expect(countsOf(director)).toEqual({ active: 0, inactive: 0, persistent: 0 });
    expect(director.connectionCount).toBe(0);
  });

  test('takes the method from the server here', () => {
    const { director, intake, service } = backup();
    addService(director, service, destConfig(1, { port: 80, method: METHOD.ROUTE }));
    intake.take(record({ flags: METHOD.TUNNEL }), undefined, 0);
    expect(director.life.conns.flags(0) & (CONN_FLAG.METHOD_MASK | NOOUTPUT)).toBe(METHOD.ROUTE | NOOUTPUT);
  });

  test('without a server here is bound by the next record after the server was added', () => {
    const { director, intake, service } = backup();
    intake.take(record({}), undefined, 0);
    addService(director, service, destConfig(1, { port: 80 }));
    expect(countsOf(director)).toEqual({ active: 0, inactive: 0, persistent: 0 });
    expect(intake.take(record({}), undefined, 0)).toBe('updated');
    expect(countsOf(director)).toEqual({ active: 1, inactive: 0, persistent: 0 });
  });

  test.each([
    ['of a firewall mark, whose servers keep their ports', METHOD.MASQ, 8080, 8080],
    ['of a firewall mark and gateway servers, which have port 0', METHOD.ROUTE, 0, 80],
  ])('finds the server %s', (_, method, port, dport) => {
    const { director, intake } = backup();
    addService(director, serviceConfig({ fwmark: 9, port: 0 }), destConfig(1, { port, method }));
    intake.take(record({ fwmark: 9, dport, flags: method }), undefined, 0);
    expect(countsOf(director).active).toBe(1);
  });

  test('of format 0 gets the timeout of its state, a template three minutes', () => {
    const { director, intake } = backup();
    intake.take(record({ timeoutSec: 0, state: FIN_WAIT, flags: INACTIVE }), undefined, 0);
    intake.take(record({ timeoutSec: 0, flags: TEMPLATE, cport: 0 }), undefined, 0);
    expect(
      listing(director)
        .map((line) => line.split(/ +/).at(-1))
        .sort(),
    ).toEqual(['120', '180']);
  });

  test('reaches its server by the next packet of the client', () => {
    const { director, intake, service } = backup();
    addService(director, service, destConfig(1, { port: 80 }));
    const packet = packetOf({
      protocol: PROTOCOL.TCP,
      src: address('10.1.0.5'),
      sport: 20_001,
      dst: address('10.0.0.1'),
      dport: 80,
      flags: TCP_FLAG.ACK,
    });
    expect(director.packet(packet, 0, packet.length, HOOK.LOCAL_IN, 0, 0)).toBe(VERDICT.PASS);
    intake.take(record({}), undefined, 0);
    expect(director.packet(packet, 0, packet.length, HOOK.LOCAL_IN, 0, 0)).toBe(VERDICT.TRANSMIT);
  });

  test('whose port is not known yet is found by the first packet', () => {
    const { director, intake, service } = backup();
    addService(director, service, destConfig(1, { port: 80 }));
    intake.take(record({ cport: 0, flags: NO_CPORT }), undefined, 0);
    const { conns } = director.life;
    expect(conns.findIn(PROTOCOL.TCP, address('10.1.0.5'), 999, address('10.0.0.1'), 80)).toBe(0);
  });
});

describe('a record of a known connection', () => {
  test('moves state, timeout and activity', () => {
    const { director, intake, service } = backup();
    addService(director, service, destConfig(1, { port: 80 }));
    intake.take(record({}), undefined, 0);
    const told = record({ state: FIN_WAIT, flags: INACTIVE, timeoutSec: 120 });
    expect(intake.take(told, undefined, sec(5))).toBe('updated');
    expect(countsOf(director)).toEqual({ active: 0, inactive: 1, persistent: 0 });
    expect(listing(director, sec(5))).toEqual([
      'TCP 0A010005 4E21 0A000001 0050 0A020001 0050 FIN_WAIT    SYNC       120',
    ]);
  });

  test('that goes to another server here replaces it, unless it is about its end', () => {
    const { director, intake, service } = backup();
    addService(director, service, destConfig(1, { port: 80 }), destConfig(2, { port: 80 }));
    intake.take(record({}), undefined, 0);
    const other = { daddr: address('10.2.0.2') };
    expect(intake.take(record({ ...other, flags: INACTIVE, state: FIN_WAIT }), undefined, 0)).toBe('ignored');
    expect(listing(director)[0]).toContain('0A020001');
    expect(intake.take(record(other), undefined, 0)).toBe('created');
    expect(listing(director)).toEqual([
      'TCP 0A010005 4E21 0A000001 0050 0A020002 0050 ESTABLISHED SYNC       900',
    ]);
  });

  test('leaves one that this director made its own', () => {
    const { director, intake, service } = backup();
    addService(director, service, destConfig(1, { port: 80 }));
    const { protocol, caddr, cport, vaddr, vport } = record({});
    const id = director.open({ protocol, caddr, cport, vaddr, vport, fwmark: 0 }, 1, 60, 0);
    director.segment(id, 0, TCP_EVENT.ACK, 1, 52, 0);
    expect(intake.take(record({}), undefined, 0)).toBe('updated');
    expect(listing(director)[0]).toContain('LOCAL');
    expect(countsOf(director)).toEqual({ active: 1, inactive: 0, persistent: 0 });
  });
});

describe('a template', () => {
  test('decides for the next connection of its client', () => {
    const { director, intake } = backup();
    const service = serviceConfig(persistent(300));
    addService(director, service, destConfig(1, { port: 80 }), destConfig(2, { port: 80 }));
    for (const server of [1, 2]) {
      const told = record({
        flags: TEMPLATE,
        cport: 0,
        caddr: address(`10.1.0.${server}`),
        daddr: address(`10.2.0.${server}`),
      });
      intake.take(told, undefined, 0);
    }
    for (const server of [2, 1, 1, 2]) {
      const flow = { ...record({}), caddr: address(`10.1.0.${server}`), cport: 5000 + server };
      const id = director.open(flow, 1, 60, 0);
      expect(director.target(id).daddr).toEqual(address(`10.2.0.${server}`));
    }
  });

  test('keeps what the engine took from the first packet', () => {
    const { director, intake } = backup();
    const told = { protocol: PROTOCOL.UDP, flags: TEMPLATE, cport: 0, state: 0, peName: 'sip' };
    intake.take(record({ ...told, peData: 'a@x' }), undefined, 0);
    intake.take(record({ ...told, peData: 'b@x' }), undefined, 0);
    intake.take(record({ ...told, peData: 'a@x' }), undefined, 0);
    expect([...director.life.conns.peData.values()]).toEqual(['a@x', 'b@x']);
  });
});

test('what one director tells, another one tells on', () => {
  const arbitrary = recordV1.filter(
    ({ flags, cport, vaddr, daddr }) =>
      (flags & (NO_CPORT | TEMPLATE | ONE_PACKET)) === 0 && cport !== 0 && vaddr.family === daddr.family,
  );
  fc.assert(
    fc.property(arbitrary, (any) => {
      const { director, intake } = backup();
      const told = {
        ...any,
        protocol: PROTOCOL.TCP,
        state: any.state % 11,
        timeoutSec: 1 + (any.timeoutSec >>> 2),
        peName: '',
        peData: '',
      };
      expect(intake.take(told, undefined, 0)).toBe('created');
      const image = new EntryImage();
      image.show(director.life.conns, 0);
      const { caddr, vaddr, daddr, timeoutSec, sequences } = image;
      const plain = ({ family, words }: typeof caddr) => ({ family, words: [...words] });
      expect([plain(caddr), plain(vaddr), plain(daddr)]).toEqual([told.caddr, told.vaddr, told.daddr]);
      expect({ timeoutSec, sequences }).toEqual({ timeoutSec: told.timeoutSec, sequences: told.sequences });
      expect(image.flags & ~CONN_FLAG.HASHED).toBe((told.flags & 0x1f87) | SYNC);
      expect([image.cport, image.vport, image.dport, image.fwmark]).toEqual([
        told.cport,
        told.vport,
        told.dport,
        told.fwmark,
      ]);
    }),
  );
});

test('sequence values go with their entry', () => {
  const { director, intake } = backup();
  const shift = { initial: 1, delta: 2, previousDelta: 3 };
  intake.take(record({ flags: IN_SEQ, sequences: { in: shift, out: shift } }), undefined, 0);
  expect(director.life.conns.sequences.size).toBe(1);
  director.expire(sec(1000));
  expect(director.life.conns.sequences.size).toBe(0);
});

describe('refused is', () => {
  test.each([
    ['a protocol without entries', { protocol: 1 }, 'unsupported_protocol'],
    ['a state that TCP does not have', { state: 11 }, 'bad_state'],
    ['a state that UDP does not have', { protocol: PROTOCOL.UDP, state: 1 }, 'bad_state'],
    ['a state that SCTP does not have', { protocol: PROTOCOL.SCTP, state: 14 }, 'bad_state'],
    ['a state that templates do not have', { flags: TEMPLATE, cport: 0, state: 2 }, 'bad_state'],
    ['a template with a port', { flags: TEMPLATE, cport: 1 }, 'bad_flags'],
    ['a template whose port is not known', { flags: TEMPLATE | NO_CPORT, cport: 0 }, 'bad_flags'],
    ['a port that is said not to be known', { flags: NO_CPORT }, 'bad_flags'],
    ['a connection of one packet', { flags: ONE_PACKET }, 'bad_flags'],
    [
      'an engine that is not here',
      { flags: TEMPLATE, cport: 0, peName: 'xyz', peData: 'a' },
      'unknown_engine',
    ],
    ['data of no engine', { flags: TEMPLATE, cport: 0, peData: 'a' }, 'unknown_engine'],
  ] as const)('%s', (_, overrides, outcome) => {
    const { director, intake } = backup();
    expect(intake.take(record(overrides), undefined, 0)).toBe(outcome);
    expect(director.connectionCount).toBe(0);
  });

  test('what the table has no room for', () => {
    const { director, intake } = backup(3);
    const outcomes = [1, 2, 3, 4].map((cport) => intake.take(record({ cport }), undefined, 0));
    expect(outcomes).toEqual(['created', 'created', 'created', 'table_full']);
    expect(director.connectionCount).toBe(3);
  });
});

function backup(connMax = 100) {
  const director = makeDirector({ connMax });
  const { life, settings, timeouts, config } = director;
  const intake = new SyncIntake({ life, settings, timeouts, services: config.services });
  return { director, intake, service: serviceConfig() };
}

/** An established TCP connection of 10.1.0.5 to server 10.2.0.1. */
function record(overrides: Partial<SyncRecord>): SyncRecord {
  return {
    protocol: PROTOCOL.TCP,
    flags: 0,
    state: ESTABLISHED,
    cport: 20_001,
    vport: 80,
    dport: 80,
    fwmark: 0,
    timeoutSec: 900,
    caddr: address('10.1.0.5'),
    vaddr: address('10.0.0.1'),
    daddr: address('10.2.0.1'),
    sequences: undefined,
    peName: '',
    peData: '',
    ...overrides,
  };
}

function addService(director: Director, service: ServiceConfig, ...dests: readonly DestConfig[]): void {
  director.apply({ op: 'add-service', service, flagsMask: ALL_FLAGS }, 0);
  for (const dest of dests) director.apply({ op: 'add-dest', service, dest }, 0);
}

function countsOf(director: Director) {
  const [service] = director.services();
  const { active, inactive, persistent: templates } = service!.dests[0]!;
  return { active, inactive, persistent: templates };
}

/** Lines of /proc/net/ip_vs_conn_sync without its head. */
function listing(director: Director, now = 0): string[] {
  const { text } = director.ask({ query: 'proc', name: 'ip_vs_conn_sync', from: 0 }, now);
  return text.trimEnd().split('\n').slice(1);
}
