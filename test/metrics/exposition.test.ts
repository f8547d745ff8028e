import { describe, expect, test } from 'vitest';
import { AF_INET6 } from '../../src/core/address.ts';
import { PROTOCOL } from '../../src/core/config.ts';
import { address } from '../support/core.ts';
import { destEntry, NO_STATS, serviceEntry } from '../support/entries.ts';
import { metadataOf, series } from '../support/exposition.ts';
import { FakeSource, makeExposition, scrape } from './fixture.ts';

const TCP = {
  family: 'inet',
  local_address: '10.0.0.1',
  local_mark: '',
  local_port: '80',
  proto: 'TCP',
};
const SERVER = { remote_address: '10.2.0.1', remote_port: '8080' };
const COUNTED = {
  conns: 1,
  inPackets: 2,
  outPackets: 3,
  inBytes: 4,
  outBytes: 5,
  cps: 6,
  inPps: 7,
  outPps: 8,
  inBps: 9,
  outBps: 10,
};

function source(rows: FakeSource['rows']): FakeSource {
  const made = new FakeSource();
  made.rows = rows;
  return made;
}

/** The series of a prefix. */
const only = (all: ReadonlyMap<string, number>, prefix: string): [string, number][] =>
  [...all].filter(([name]) => name.startsWith(prefix));

describe('the exposition', () => {
  test('has the totals and no series of services when there are none', async () => {
    const found = await scrape(new FakeSource());
    expect(found.get('node_ipvs_connections_total')).toBe(0);
    expect(found.get('ipvs_director_worker_up')).toBe(1);
    expect(only(found, 'ipvs_service_')).toEqual([]);
    expect(only(found, 'ipvs_destination_')).toEqual([]);
    expect(only(found, 'node_ipvs_backend_')).toEqual([]);
  });

  test('shows a service with its counters, rates and servers', async () => {
    const made = source([{ service: serviceEntry({ stats: COUNTED }), dests: [destEntry(1), destEntry(2)] }]);
    made.states = [{ service: serviceEntry(), plane: 'proxy', state: 'served' }];
    const found = await scrape(made);
    const values = Object.fromEntries(
      only(found, 'ipvs_service_').map(([name, value]) => [name.split('{', 1)[0], value]),
    );
    expect(values).toEqual({
      ipvs_service_connections_total: 1,
      ipvs_service_incoming_packets_total: 2,
      ipvs_service_outgoing_packets_total: 3,
      ipvs_service_incoming_bytes_total: 4,
      ipvs_service_outgoing_bytes_total: 5,
      ipvs_service_connections_per_second: 6,
      ipvs_service_incoming_packets_per_second: 7,
      ipvs_service_outgoing_packets_per_second: 8,
      ipvs_service_incoming_bytes_per_second: 9,
      ipvs_service_outgoing_bytes_per_second: 10,
      ipvs_service_destinations: 2,
      ipvs_service_served: 1,
    });
    expect(found.get(series('ipvs_service_destinations', TCP))).toBe(2);
  });

  test('shows a destination with its state, thresholds and counters', async () => {
    const server = destEntry(1, {
      weight: 9,
      active: 11,
      inactive: 12,
      persistent: 13,
      upperThreshold: 20,
      lowerThreshold: 15,
      overloaded: true,
      stats: COUNTED,
    });
    const found = await scrape(source([{ service: serviceEntry(), dests: [server] }]));
    const labels = { ...TCP, ...SERVER };
    const value = (name: string) => found.get(series(`ipvs_destination_${name}`, labels));
    expect({
      weight: value('weight'),
      active: value('connections_active'),
      inactive: value('connections_inactive'),
      persistent: value('connections_persistent'),
      upper: value('upper_threshold'),
      lower: value('lower_threshold'),
      overloaded: value('overloaded'),
    }).toEqual({ weight: 9, active: 11, inactive: 12, persistent: 13, upper: 20, lower: 15, overloaded: 1 });
    expect([
      value('connections_total'),
      value('incoming_packets_total'),
      value('outgoing_bytes_total'),
    ]).toEqual([1, 2, 5]);
    const { family: _, ...backend } = labels;
    expect(found.get(series('node_ipvs_backend_connections_active', backend))).toBe(11);
    expect(found.get(series('node_ipvs_backend_connections_inactive', backend))).toBe(12);
    expect(found.get(series('node_ipvs_backend_weight', backend))).toBe(9);
  });

  test('leaves out whether a server is overloaded where that is not known', async () => {
    const { overloaded: _, ...unknown } = destEntry(1);
    const found = await scrape(source([{ service: serviceEntry(), dests: [unknown] }]));
    expect(only(found, 'ipvs_destination_overloaded')).toEqual([]);
    expect(only(found, 'ipvs_destination_weight')).toHaveLength(1);
  });

  test.each([
    { when: 'IPv6', vip: '2001:db8::1', ip: 'fd00::7', local: '2001:db8::1', remote: 'fd00::7' },
    { when: 'the IPv6 loopback address', vip: '::1', ip: 'fd00::7', local: '::1', remote: 'fd00::7' },
    { when: 'a mapped address', vip: '::ffff:10.0.0.1', ip: 'fd00::7', local: '10.0.0.1', remote: 'fd00::7' },
    {
      when: 'an IPv4-compatible address',
      vip: 'fd00::1',
      ip: '::10.2.0.7',
      local: 'fd00::1',
      remote: '::a02:7',
    },
  ])('prints $when as the node exporter does', async ({ vip, ip, local, remote }) => {
    const found = await scrape(source([{ service: serviceEntry({ vip }), dests: [destEntry(1, { ip })] }]));
    const labels = {
      local_address: local,
      local_mark: '',
      local_port: '80',
      proto: 'TCP',
      remote_address: remote,
      remote_port: '8080',
    };
    expect(only(found, 'node_ipvs_backend_weight')).toEqual([
      [series('node_ipvs_backend_weight', labels), 1],
    ]);
    expect(found.get(series('ipvs_destination_weight', { ...labels, family: 'inet6' }))).toBe(1);
  });

  test('keeps the services of one mark in both families apart', async () => {
    const mark = { fwmark: 0xfedcba98 | 0, port: 0, protocol: PROTOCOL.IP };
    const found = await scrape(
      source([
        { service: serviceEntry({ ...mark, vip: '0.0.0.0' }), dests: [destEntry(1)] },
        {
          service: serviceEntry({ ...mark, vip: '::', family: AF_INET6 }),
          dests: [destEntry(1, { ip: 'fd00::1' })],
        },
      ]),
    );
    const labels = { local_address: '', local_mark: 'FEDCBA98', local_port: '0', proto: 'FWM' };
    for (const family of ['inet', 'inet6'])
      expect(found.get(series('ipvs_service_destinations', { ...labels, family }))).toBe(1);
    expect(found.get(series('node_ipvs_backend_weight', { ...labels, ...SERVER }))).toBe(1);
  });

  test('shows SCTP services, which the node exporter takes for a part of the service before', async () => {
    const sctp = serviceEntry({ port: 9, protocol: PROTOCOL.SCTP });
    const found = await scrape(source([{ service: sctp, dests: [destEntry(1)] }]));
    const { family: _, ...labels } = { ...TCP, ...SERVER, local_port: '9', proto: 'SCTP' };
    expect(found.get(series('node_ipvs_backend_weight', labels))).toBe(1);
  });

  test('prints counters up to 2^53 exactly', async () => {
    const made = source([{ service: serviceEntry({ stats: { ...NO_STATS, inBytes: 2 ** 53 } }), dests: [] }]);
    made.stats = { ...NO_STATS, outBytes: 2 ** 53 - 1 };
    const text = await makeExposition(made).render();
    expect(text).toContain('\nnode_ipvs_outgoing_bytes_total 9007199254740991\n');
    expect(text).toMatch(/^ipvs_service_incoming_bytes_total\{.*\} 9007199254740992$/m);
  });

  test('escapes what labels may not hold', async () => {
    const made = new FakeSource();
    made.decisions = { 'a"b\\c\nd': 3 };
    const text = await makeExposition(made).render();
    expect(text).toContain('ipvs_scheduler_decisions_total{scheduler="a\\"b\\\\c\\nd"} 3\n');
  });

  test('follows the director: what is gone there is gone here', async () => {
    const made = source([{ service: serviceEntry(), dests: [destEntry(1)] }]);
    const exposition = makeExposition(made);
    expect(await exposition.render()).toContain('ipvs_destination_weight{');
    made.rows = [];
    expect(await exposition.render()).not.toContain('ipvs_destination_weight{');
  });

  test('tells the versions, the choices of schedulers and the figures of the director', async () => {
    const made = new FakeSource();
    made.decisions = { rr: 7, wlc: 0 };
    const found = await scrape(made);
    const node = process.versions.node;
    expect(found.get(series('ipvs_build_info', { node, version: '1.2.3' }))).toBe(1);
    expect(found.get('ipvs_scheduler_decisions_total{scheduler="rr"}')).toBe(7);
    expect(found.get('ipvs_scheduler_decisions_total{scheduler="wlc"}')).toBe(0);
    expect(found.get('ipvs_director_connections')).toBe(5);
    expect(found.get('ipvs_director_connections_max')).toBe(100);
    expect(found.get('ipvs_director_uptime_seconds')).toBe(77);
    expect(found.get('ipvs_director_info{io="node",plane="proxy"}')).toBe(1);
    expect(found.get('ipvs_director_loop_active_seconds_total{thread="worker"}')).toBe(4);
    expect(found.get('ipvs_director_loop_lag_seconds{thread="worker"}')).toBeGreaterThan(0);
  });

  test('has process metrics, and no gauge that is named as a counter', async () => {
    const text = await makeExposition(new FakeSource()).render();
    expect(text).toMatch(/^process_cpu_seconds_total \d/m);
    const gauges = [...metadataOf(text, '')].filter(([, { type }]) => type === 'gauge').map(([name]) => name);
    expect(gauges).toContain('nodejs_version_info');
    expect(gauges.filter((name) => name.endsWith('_total'))).toEqual([]);
  });
});

describe('selected labels', () => {
  test('are the only ones, and values that then have equal labels are added up', async () => {
    const rows = [
      {
        service: serviceEntry({ stats: COUNTED }),
        dests: [destEntry(1, { active: 1 }), destEntry(2, { active: 2 })],
      },
      { service: serviceEntry({ port: 81, stats: COUNTED }), dests: [destEntry(1, { active: 4 })] },
      {
        service: serviceEntry({ addr: address('10.0.0.2'), protocol: PROTOCOL.UDP }),
        dests: [destEntry(1, { active: 8 })],
      },
    ];
    const found = await scrape(source(rows), { labels: ['local_address', 'proto'] });
    const tcp = { local_address: '10.0.0.1', proto: 'TCP' };
    const udp = { local_address: '10.0.0.2', proto: 'UDP' };
    expect(only(found, 'node_ipvs_backend_connections_active')).toEqual([
      [series('node_ipvs_backend_connections_active', tcp), 7],
      [series('node_ipvs_backend_connections_active', udp), 8],
    ]);
    expect(found.get(series('ipvs_service_outgoing_bytes_total', tcp))).toBe(10);
    expect(found.get(series('ipvs_service_destinations', tcp))).toBe(3);
    expect(found.get(series('ipvs_destination_connections_active', udp))).toBe(8);
  });

  test('of servers alone leave one series for all services', async () => {
    const rows = [
      { service: serviceEntry({ stats: COUNTED }), dests: [destEntry(1)] },
      { service: serviceEntry({ port: 81, stats: COUNTED }), dests: [destEntry(1)] },
    ];
    const found = await scrape(source(rows), { labels: ['remote_address'] });
    expect(found.get('ipvs_service_connections_total')).toBe(2);
    expect(found.get('ipvs_destination_weight{remote_address="10.2.0.1"}')).toBe(2);
  });

  test('of servers alone show no service where there is none', async () => {
    const found = await scrape(new FakeSource(), { labels: ['remote_address'] });
    expect(only(found, 'ipvs_service_')).toEqual([]);
  });
});

describe('a director that does not answer', () => {
  test('is shown as down, with no figure of its own but the busy time', async () => {
    const made = source([{ service: serviceEntry(), dests: [destEntry(1)] }]);
    made.gate = () => new Promise(() => {});
    const found = await scrape(made, { answerLimitMs: 20 });
    expect(found.get('ipvs_director_worker_up')).toBe(0);
    const busy = [...found.keys()].filter((name) => name !== 'ipvs_director_worker_up');
    expect(busy.map((name) => name.replace(/\{node=.*/, ''))).toEqual([
      'ipvs_director_loop_lag_seconds{thread="main"}',
      'ipvs_director_loop_active_seconds_total{thread="main"}',
      'ipvs_director_loop_active_seconds_total{thread="worker"}',
      'ipvs_build_info',
    ]);
  });

  test('that refuses is shown as down too', async () => {
    const made = new FakeSource();
    made.gate = () => Promise.reject(new Error('gone'));
    expect((await scrape(made)).get('ipvs_director_worker_up')).toBe(0);
  });

  test('is not asked again and again, and is up once it answers', async () => {
    const made = new FakeSource();
    let open = (): void => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    made.gate = () => opened;
    const exposition = makeExposition(made, { answerLimitMs: 20 });
    for (let i = 0; i < 3; i++) expect(await exposition.render()).toContain('ipvs_director_worker_up 0\n');
    expect(made.asked).toEqual(['totals']);
    open();
    expect(await exposition.render()).toContain('ipvs_director_worker_up 1\n');
  });
});

test('scrapes at one time share one collection', async () => {
  const made = source([{ service: serviceEntry(), dests: [destEntry(1)] }]);
  const exposition = makeExposition(made);
  const texts = await Promise.all([exposition.render(), exposition.render(), exposition.render()]);
  expect(new Set(texts).size).toBe(1);
  expect(made.asked).toEqual(['totals', 'status', 'services', 'dests']);
  await exposition.render();
  expect(made.asked).toHaveLength(8);
});
