import { describe, expect, test } from 'vitest';
import { formatAddress } from '../../src/core/address.ts';
import { SERVICE_FLAG } from '../../src/core/config.ts';
import type { SchedulerSpec } from '../../src/core/scheduler.ts';
import { prepare, simulate } from '../../src/sim/simulate.ts';
import type { Churn, Workload } from '../../src/sim/workload.ts';
import { address, destConfig } from '../support/core.ts';
import { rules, run, workload } from './fixture.ts';
import './close.ts';

const small = (overrides: Partial<Workload> = {}): Workload =>
  workload(0.7, 4, { connections: 20_000, ...overrides });

describe.each(['entries', 'counters'] as const)('with %s', (model) => {
  test.each(['rr', 'wrr', 'lc', 'wlc', 'sh', 'mh', 'twos'])(
    '%s: the same seed gives the same result',
    (name) => {
      const short = small({ model, connections: 5000 });
      const results = [1, 2].map(() => run(rules(name, 4), short));
      expect(results[0]).toEqual(results[1]);
      expect(run(rules(name, 4), short, 2)).not.toEqual(results[0]);
    },
  );

  test('every connection comes to an end', () => {
    const { outcomes } = run(rules('rr', 4), small({ model }));
    expect(outcomes).toEqual({
      arrived: 20_000,
      completed: 20_000,
      noServer: 0,
      tableFull: 0,
      byServer: 0,
      broken: 0,
    });
  });

  test('how a run is cut into slices changes nothing', () => {
    const experiment = { commands: rules('wlc', 4), workload: small({ model }), seed: 3, replication: 1 };
    const sliced = prepare(experiment);
    while (!sliced.advance(777));
    expect(sliced.result()).toEqual(simulate(experiment));
  });

  test('wrr gives connections by weight', () => {
    const { servers } = run(
      rules('wrr', 3, (n) => ({ weight: n })),
      small({ model }),
    );
    for (const [i, { share }] of servers.entries()) expect(share).toBeCloseTo([3, 2, 1][2 - i]! / 6, 2);
  });

  test('a server at its upper threshold is left alone, and refusals are counted', () => {
    const thresholds = () => ({ upperThreshold: 2, lowerThreshold: 1 });
    const load = small({
      model,
      connections: 1000,
      longLived: { share: 1, duration: { kind: 'deterministic', value: 1e8 } },
    });
    const { outcomes, servers } = run(rules('rr', 4, thresholds), load);
    expect(servers.map(({ connections }) => connections)).toEqual([2, 2, 2, 2]);
    expect(outcomes.noServer).toBe(1000 - 8);
  });

  test('a server that dies breaks its connections, and resets new ones until it is found out', () => {
    const churn: Churn[] = [
      { atMs: 1000, server: destConfig(1), kind: 'kill', detectMs: 100, downMs: Number.POSITIVE_INFINITY },
    ];
    const { outcomes, servers } = run(rules('rr', 4), small({ model, churn }));
    expect(outcomes.broken).toBeGreaterThan(0);
    // A quarter of 2.8 a ms for 100 ms.
    expect(outcomes.byServer).toBeCloseToShare(70, 0.3);
    expect(servers[0]!.weight).toBe(-1);
    expect(outcomes.completed + outcomes.broken + outcomes.byServer).toBe(20_000);
  });
});

test('the same connections meet each scheduler', () => {
  const [rr, wlc] = ['rr', 'wlc'].map((scheduler) => {
    return simulate({ commands: rules('sh', 4), workload: small(), scheduler, seed: 1, replication: 0 });
  });
  const work = (result: typeof rr): number =>
    result!.servers.reduce((sum, { utilisation }) => sum + utilisation * result!.simulatedMs, 0);
  expect(work(rr)).toBeCloseTo(work(wlc), 6);
});

test('mh moves few of the clients whose server stays when another goes, sh most of them', () => {
  const churn: Churn[] = [{ atMs: 3000, server: destConfig(2), kind: 'remove' }];
  const moved = (scheduler: string): number => {
    const load = workload(0.5, 8, {
      connections: 40_000,
      churn,
      clients: { count: 2000, zipf: 0, nat: { share: 0, addresses: 1 } },
    });
    const [event] = run(rules(scheduler, 8), load).churn;
    return event!.moved / event!.returned;
  };
  expect(moved('mh')).toBeLessThan(0.05);
  expect(moved('sh')).toBeGreaterThan(0.4);
});

test('a persistent service keeps each client where it is', () => {
  const commands = rules('rr', 4, () => ({}), { flags: SERVICE_FLAG.PERSISTENT, timeoutSec: 600 });
  const churn: Churn[] = [{ atMs: 3000, server: destConfig(4), kind: 'weight', weight: 3 }];
  const [event] = run(commands, small({ model: 'entries', churn })).churn;
  expect(event!.returned).toBeGreaterThan(1000);
  expect(event!.moved).toBe(0);
});

test('a closed loop has no more connections under way than clients', () => {
  const arrivals = { kind: 'closed', clients: 10, think: { kind: 'exponential', mean: 5 } } as const;
  const { servers, outcomes } = run(rules('rr', 2), small({ arrivals }));
  expect(outcomes.completed).toBe(20_000);
  expect(servers.reduce((sum, { meanOpen }) => sum + meanOpen, 0)).toBeLessThan(10);
});

test('the clients behind one address go to one server under sh', () => {
  const clients = { count: 100, zipf: 0, nat: { share: 1, addresses: 1 } };
  const { servers } = run(rules('sh', 4), small({ clients }));
  expect(servers.filter(({ connections }) => connections > 0)).toHaveLength(1);
});

test('directors of their own each begin a round of their own', () => {
  const load = small({
    connections: 4,
    directors: { count: 4, by: 'client' },
    arrivals: { kind: 'trace', records: [0, 1, 2, 3].map((client) => ({ atMs: client, client, workMs: 1 })) },
  });
  const { servers } = run(rules('rr', 4), load);
  expect(servers.filter(({ connections }) => connections > 0)).toHaveLength(1);
});

test('recorded clients come from their own addresses and ports', () => {
  const addresses = ['198.51.100.1', '198.51.100.2', '198.51.100.3'].map(address);
  const records = addresses.map((_, client) => ({ atMs: client, client, workMs: 1, port: 7000 + client }));
  const load = small({ connections: 3, arrivals: { kind: 'trace', records, addresses } });
  const flows: string[] = [];
  const spy: SchedulerSpec = {
    name: 'spy',
    create: () => ({
      schedule: (_dests, { caddr, cport }) => {
        flows.push(`${formatAddress(caddr)} ${cport}`);
        return 0;
      },
    }),
  };
  simulate({ commands: rules('spy', 2), workload: load, seed: 1, replication: 0, schedulers: [spy] });
  expect(flows).toEqual(['198.51.100.1 7000', '198.51.100.2 7001', '198.51.100.3 7002']);
});

test('recorded clients of another family than the service are refused', () => {
  const records = [{ atMs: 0, client: 0, workMs: 1 }];
  const load = small({ arrivals: { kind: 'trace', records, addresses: [address('2001:db8::1')] } });
  expect(() => run(rules('rr', 2), load)).toThrow('clients of the trace are of two address families');
});

test.each([
  { arrivals: { kind: 'bursts', calmRate: 500, burstRate: 4000, calmMean: 30, burstMean: 10 }, rate: 1375 },
  { arrivals: { kind: 'diurnal', rate: 1000, swing: 0.8, period: 500 }, rate: 1000 },
  { arrivals: { kind: 'deterministic', rate: 1000 }, rate: 1000 },
] as const)('$arrivals.kind arrivals come at $rate a second', ({ arrivals, rate }) => {
  const { outcomes } = run(
    rules('rr', 4),
    small({ arrivals, connections: Number.POSITIVE_INFINITY, durationMs: 50_000 }),
  );
  expect(outcomes.arrived / 50).toBeCloseToShare(rate, 0.05);
});
