import { describe, expect, test } from 'vitest';
import { formatAddress, ipv4 } from '../../src/core/address.ts';
import type { DirectorPort, Query, QueryResults } from '../../src/core/commands.ts';
import type { DestEntry, ServiceEntry, StatsSnapshot } from '../../src/core/config.ts';
import { commandOf, optionValue } from '../../src/run/sockopt.ts';
import { GET, SET } from '../../src/run/sockopt-abi.ts';

/** -A -t 10.0.0.1:80 -s wrr -p 300 -M 255.255.255.0, as struct ip_vs_service_user. */
const SERVICE = Buffer.from(
  '06000000' +
    '0a000001' +
    '00500000' +
    '00000000' +
    '77727200000000000000000000000000' +
    '01000000' +
    '2c010000' +
    'ffffff00',
  'hex',
);
/** -r 10.0.0.2:8080 -g -w 5 -x 9 -y 3, as struct ip_vs_dest_user. */
const DEST = Buffer.from('0a000002' + '1f900000' + '03000000' + '05000000' + '09000000' + '03000000', 'hex');

const STATS: StatsSnapshot = {
  conns: 1,
  inPackets: 2,
  outPackets: 3,
  inBytes: 2 ** 33,
  outBytes: 5,
  cps: 6,
  inPps: 7,
  outPps: 8,
  inBps: 9,
  outBps: 10,
};
const ENTRY: ServiceEntry = {
  family: 2,
  protocol: 6,
  addr: ipv4(0x0a000001),
  port: 80,
  fwmark: 0,
  scheduler: 'wrr',
  flags: 3,
  timeoutSec: 300,
  netmask: 0xffffff00,
  pe: '',
  stats: STATS,
};
const DEST_ENTRY: DestEntry = {
  addr: ipv4(0x0a000002),
  port: 8080,
  weight: 5,
  method: 3,
  upperThreshold: 9,
  lowerThreshold: 3,
  tunnelType: 0,
  tunnelPort: 0,
  tunnelFlags: 0,
  active: 11,
  inactive: 12,
  persistent: 13,
  stats: STATS,
};

describe('setsockopt()', () => {
  test('reads a service', () => {
    const command = commandOf(SET.ADD, SERVICE);
    expect(command).toMatchObject({
      op: 'add-service',
      service: {
        protocol: 6,
        port: 80,
        fwmark: 0,
        scheduler: 'wrr',
        flags: 1,
        timeoutSec: 300,
        netmask: 0xffffff00,
      },
    });
    if (typeof command === 'object' && command.op === 'add-service') {
      expect(formatAddress(command.service.addr)).toBe('10.0.0.1');
    }
  });

  test.each([
    { option: SET.ADDDEST, op: 'add-dest' },
    { option: SET.EDITDEST, op: 'edit-dest' },
    { option: SET.DELDEST, op: 'delete-dest' },
  ])('reads a server: $op', ({ option, op }) => {
    expect(commandOf(option, Buffer.concat([SERVICE, DEST]))).toMatchObject({
      op,
      dest: { port: 8080, method: 3, weight: 5, upperThreshold: 9, lowerThreshold: 3 },
    });
  });

  test.each([
    { option: SET.EDIT, op: 'edit-service' },
    { option: SET.DEL, op: 'delete-service' },
    { option: SET.ZERO, op: 'zero' },
    { option: SET.FLUSH, op: 'flush' },
  ])('is understood: $op', ({ option, op }) => {
    expect(commandOf(option, SERVICE)).toMatchObject({ op });
  });

  test('zeroes everything where no service is named', () => {
    expect(commandOf(SET.ZERO, Buffer.alloc(44))).toEqual({ op: 'zero', service: undefined });
  });

  test('reads timeouts and daemons', () => {
    expect(commandOf(SET.TIMEOUT, Buffer.from('0a0000001400000000000000', 'hex'))).toEqual({
      op: 'set-timeouts',
      timeouts: { tcpSec: 10, tcpFinSec: 20, udpSec: 0 },
    });
    const daemon = Buffer.alloc(24);
    daemon.writeInt32LE(2, 0);
    daemon.write('eth0', 4);
    daemon.writeInt32LE(7, 20);
    expect(commandOf(SET.STARTDAEMON, daemon)).toMatchObject({
      daemon: { state: 2, interface: 'eth0', syncId: 7 },
    });
    expect(commandOf(SET.STOPDAEMON, daemon)).toEqual({ op: 'stop-daemon', state: 2 });
  });

  test.each([
    {
      what: 'a scheduler without an end',
      bytes: Buffer.concat([SERVICE.subarray(0, 16), Buffer.alloc(16, 'x'), SERVICE.subarray(32)]),
      errno: -22,
    },
    {
      what: 'an unknown protocol',
      bytes: Buffer.concat([Buffer.from('2f00', 'hex'), SERVICE.subarray(2)]),
      errno: -14,
    },
  ])('refuses $what', ({ bytes, errno }) => {
    expect(commandOf(SET.ADD, bytes)).toBe(errno);
  });
});

describe('getsockopt()', () => {
  test('tells version and size', async () => {
    expect(String(await optionValue(director, GET.VERSION, Buffer.alloc(64)))).toBe(
      'IP Virtual Server version 1.2.1 (size=4096)\0',
    );
    expect((await bytesOf(GET.INFO, Buffer.alloc(12))).toString('hex')).toBe('010201000010000001000000');
  });

  test('lists services, of which there must be room for as many as are asked for', async () => {
    const given = Buffer.alloc(8 + 104);
    given.writeUInt32LE(1, 0);
    const bytes = await bytesOf(GET.SERVICES, given);
    expect(bytes.subarray(8, 8 + 32).toString('hex')).toBe(SERVICE.subarray(0, 32).toString('hex'));
    expect([bytes.readUInt32LE(8 + 44), bytes.readUInt32LE(8 + 48), bytes.readBigUInt64LE(8 + 64)]).toEqual([
      1,
      1,
      2n ** 33n,
    ]);
    expect(await optionValue(director, GET.SERVICES, given.subarray(0, 100))).toBe(-22);
  });

  test('shows one service and its servers', async () => {
    expect((await bytesOf(GET.SERVICE, Buffer.concat([SERVICE, Buffer.alloc(60)]))).length).toBe(104);
    const given = Buffer.alloc(24 + 96);
    SERVICE.copy(given, 0, 0, 16);
    given.writeUInt32LE(1, 16);
    const bytes = await bytesOf(GET.DESTS, given);
    expect(bytes.subarray(24, 48).toString('hex')).toBe(DEST.toString('hex'));
    expect([
      bytes.readUInt32LE(48),
      bytes.readUInt32LE(52),
      bytes.readUInt32LE(56),
      bytes.readUInt32LE(64),
    ]).toEqual([11, 12, 13, 1]);
    expect(await optionValue(director, GET.DESTS, given.subarray(0, 24))).toBe(-22);
  });

  test('shows timeouts and daemons', async () => {
    expect((await bytesOf(GET.TIMEOUT, Buffer.alloc(12))).toString('hex')).toBe(
      '840300007800000' + '02c010000',
    );
    const daemons = await bytesOf(GET.DAEMON, Buffer.alloc(48));
    expect([daemons.readInt32LE(0), daemons.readInt32LE(24), daemons.toString('latin1', 28, 32)]).toEqual([
      0,
      2,
      'eth0',
    ]);
  });

  test('refuses what there is not', async () => {
    expect(await optionValue(director, 5, Buffer.alloc(100))).toBe(-22);
  });
});

const ANSWERS: Partial<QueryResults> = {
  info: { version: 0x010201, tableSize: 4096 },
  services: [ENTRY],
  service: ENTRY,
  dests: [DEST_ENTRY],
  timeouts: { tcpSec: 900, tcpFinSec: 120, udpSec: 300 },
  daemons: [{ state: 2, interface: 'eth0', syncId: 1, maxLen: 0, group: undefined, port: 0, ttl: 0 }],
};

const director: DirectorPort = {
  apply: () => Promise.resolve(),
  ask: <Q extends Query>(query: Q) => Promise.resolve(ANSWERS[query.query] as QueryResults[Q['query']]),
};

async function bytesOf(option: number, given: Buffer): Promise<Buffer> {
  const value = await optionValue(director, option, given);
  if (typeof value === 'number') throw new Error(`errno ${value}`);
  return value;
}
