import { describe, expect, test } from 'vitest';
import { DEFAULT_SERVER } from '../../src/sim/workload.ts';
import './close.ts';
import { rules, run, workload } from './fixture.ts';

/** Fixed point of a contraction, by iteration. */
function fixedPoint(step: (x: number) => number): number {
  let x = 0.5;
  for (let i = 0; i < 200; i++) x = step(x);
  return x;
}

/** Mean time in system of M/M/c, service time 1, offered load a = rho c (Erlang's C formula). */
function erlangC(servers: number, rho: number): number {
  const load = rho * servers;
  let term = 1;
  let sum = 0;
  for (let k = 0; k < servers; k++) {
    sum += term;
    term *= load / (k + 1);
  }
  const waits = term / (1 - rho) / (sum + term / (1 - rho));
  return 1 + waits / (servers * (1 - rho));
}

/** Mean time in system of Mitzenmacher's supermarket model with d choices and many servers. */
function supermarket(rho: number, choices: number): number {
  let sum = 0;
  for (let i = 1; i < 50; i++) sum += rho ** ((choices ** i - choices) / (choices - 1));
  return sum;
}

test.each([{ rho: 0.5 }, { rho: 0.8 }])('a random split is M/M/1 at each server, at $rho', ({ rho }) => {
  // The p99 of one run at 0.8 has a standard deviation of 4 %: four runs leave 2 %.
  const runs = [0, 1, 2, 3].map((replication) => {
    return run(rules('lab-random', 10), workload(rho, 10, { connections: 200_000 }), 1, replication).response;
  });
  const average = (of: (response: (typeof runs)[number]) => number): number =>
    runs.reduce((sum, each) => sum + of(each), 0) / runs.length;
  expect(average(({ mean }) => mean)).toBeCloseToShare(1 / (1 - rho), 0.04);
  // The response time is exponential.
  expect(average(({ p99 }) => p99)).toBeCloseToShare(Math.log(100) / (1 - rho), 0.06);
});

test.each([
  { rho: 0.7, servers: 1 },
  { rho: 0.8, servers: 4 },
  { rho: 0.9, servers: 16 },
])('one server with $servers places at $rho waits as Erlang said', ({ rho, servers }) => {
  const model = { ...DEFAULT_SERVER, concurrency: servers };
  const load = workload(rho, servers, { connections: 200_000, servers: { default: model, each: [] } });
  expect(run(rules('rr', 1), load).response.mean).toBeCloseToShare(erlangC(servers, rho), 0.04);
});

test('processor sharing has the mean of M/M/1, whatever the distribution of work', () => {
  const model = { ...DEFAULT_SERVER, discipline: 'ps' as const, concurrency: Number.POSITIVE_INFINITY };
  const load = workload(0.7, 1, {
    connections: 200_000,
    servers: { default: model, each: [] },
    serviceTime: { kind: 'bimodal', short: 0.5, long: 5.5, share: 0.1 },
  });
  expect(run(rules('rr', 1), load).response.mean).toBeCloseToShare(1 / 0.3, 0.05);
});

test('round robin over many servers tends to D/M/1', () => {
  const rho = 0.8;
  const sigma = fixedPoint((x) => Math.exp(-(1 - x) / rho));
  const { response } = run(rules('rr', 100), workload(rho, 100, { connections: 200_000 }));
  expect(response.mean).toBeCloseToShare(1 / (1 - sigma), 0.04);
});

test.each([
  { scheduler: 'twos', choices: 2 },
  { scheduler: 'lab-two', choices: 2 },
  { scheduler: 'lab-three', choices: 3 },
])('$scheduler follows the supermarket model of $choices choices', ({ scheduler, choices }) => {
  const load = workload(0.9, 100, { connections: 150_000, warmupMs: 50 });
  expect(run(rules(scheduler, 100), load).response.mean).toBeCloseToShare(supermarket(0.9, choices), 0.07);
});

test('the shorter the queue that is joined, the shorter the response: jsq, three, two, rr, random', () => {
  const means = ['lab-jsq', 'lab-three', 'lab-two', 'rr', 'lab-random'].map((scheduler) => {
    return run(rules(scheduler, 50), workload(0.9, 50, { connections: 200_000 })).response.mean;
  });
  expect(means).toEqual([...means].sort((a, b) => a - b));
});

test('least connection on equal servers joins the shortest queue', () => {
  const load = workload(0.9, 20, { connections: 200_000 });
  const [lc, jsq] = ['lc', 'lab-jsq'].map((scheduler) => run(rules(scheduler, 20), load).response.mean);
  expect(lc).toBeCloseToShare(jsq!, 0.02);
});

/** Connections that never end: each is a ball. */
describe('balls in bins', () => {
  const BINS = 1000;
  const highest = (scheduler: string, seed: number): number => {
    const load = workload(1, BINS, {
      connections: BINS,
      longLived: { share: 1, duration: { kind: 'deterministic', value: 1e9 } },
    });
    return Math.max(...run(rules(scheduler, BINS), load, seed).servers.map(({ connections }) => connections));
  };
  const mean = (scheduler: string): number => {
    const seeds = Array.from({ length: 10 }, (_, i) => i);
    return seeds.reduce((sum, seed) => sum + highest(scheduler, seed), 0) / seeds.length;
  };

  // Azar, Broder, Karlin and Upfal 1999: ln n / ln ln n (1 + o(1)) for one, ln ln n / ln d + O(1) for d choices.
  test('one choice fills the fullest bin with 5 to 6.5, two with about 3, three with 2 to 3', () => {
    const [one, two, three] = ['lab-random', 'lab-two', 'lab-three'].map(mean);
    expect(one).toBeGreaterThan(4.8);
    expect(one).toBeLessThan(6.6);
    expect(two).toBeGreaterThanOrEqual(2.9);
    expect(two).toBeLessThanOrEqual(3.4);
    expect(three).toBeGreaterThanOrEqual(2);
    expect(three).toBeLessThan(two!);
  });
});
