import { expect, test } from 'vitest';
import { stateLabel } from '../../src/metrics/director-families.ts';
import { planeMetric } from '../../src/metrics/plane-counters.ts';
import { createCounters } from '../../src/net/proxy-counters.ts';
import { serviceEntry } from '../support/entries.ts';
import { FakeSource, scrape } from './fixture.ts';

test.each([
  ['served', 'served'],
  ['no servers', 'no_servers'],
  ['waiting: address', 'waiting_address'],
  ['waiting: port', 'waiting_port'],
  ['unservable: server 10.0.0.1:80 is not masqueraded', 'unservable'],
])('the serving state %j is exported as %j', (state, label) => {
  expect(stateLabel(state)).toBe(label);
});

test('services are counted by serving state, and states without any are 0', async () => {
  const source = new FakeSource();
  source.states = ['served', 'served', 'waiting: port', 'unservable: port 0'].map((state) => ({
    service: serviceEntry(),
    plane: 'proxy',
    state,
  }));
  const found = await scrape(source);
  const states = ['served', 'no_servers', 'waiting_address', 'waiting_port', 'unservable'];
  expect(states.map((state) => found.get(`ipvs_director_services{state="${state}"}`))).toEqual([
    2, 0, 0, 1, 1,
  ]);
});

test('what the proxy plane turns away or loses is exported as drops, with the reason', () => {
  const drops = Object.keys(createCounters())
    .map(planeMetric)
    .filter(({ metric }) => metric === 'drops')
    .map(({ labels }) => `${labels['proto']} ${labels['reason']}`);
  expect(drops).toEqual([
    'TCP no_service',
    'TCP no_dest',
    'TCP drop',
    'TCP table_full',
    'TCP server_refused',
    'TCP server_unreachable',
    'UDP refused',
    'UDP dropped',
  ]);
});

test.each([
  ['tcp_listeners', 'listeners', { proto: 'TCP' }],
  ['udp_sockets_open', 'flows', { proto: 'UDP' }],
  ['descriptors_used', 'descriptors', {}],
  ['descriptors_limit', 'descriptors_max', {}],
  ['tcp_accepted', 'events', { event: 'tcp_accepted' }],
  ['icmp_malformed', 'drops', { proto: 'ICMP', reason: 'malformed' }],
  ['dropped_no_memory', 'drops', { proto: '', reason: 'dropped_no_memory' }],
])('the counter %s is exported among %s', (name, metric, labels) => {
  expect(planeMetric(name)).toEqual({ metric, labels });
});

test('counters of the planes and the drops of the core are exported under their metrics', async () => {
  const source = new FakeSource();
  source.drops = { table_full: 7 };
  source.counters = { tcp_refused_no_dest: 3, tcp_accepted: 4, tcp_listeners: 5, descriptors_used: 6 };
  const found = await scrape(source);
  expect(found.get('ipvs_director_drops_total{proto="TCP",reason="no_dest"}')).toBe(3);
  expect(found.get('ipvs_director_drops_total{proto="",reason="table_full"}')).toBe(7);
  expect(found.get('ipvs_director_events_total{event="tcp_accepted"}')).toBe(4);
  expect(found.get('ipvs_director_listeners{proto="TCP"}')).toBe(5);
  expect(found.get('ipvs_director_descriptors')).toBe(6);
});
