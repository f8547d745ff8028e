import type { Workload } from '../../../src/sim/workload.ts';
import { DEFAULT_SERVER } from '../../../src/sim/workload.ts';
import { rules, run, workload } from '../fixture.ts';
import { maglevBalance, maglevDisruption } from './maglev.ts';
import { dm1, erlangC, mm1, mm1P99, supermarket } from './theory.ts';

/** How much is simulated: enough for the tolerance, or for a page to quote. */
export type Size = 'reduced' | 'full';

/** A result that others have published, and how it is made again. Times in units of the mean service time. */
export interface PublishedResult {
  readonly title: string;
  readonly source: string;
  /** One value that is met within a share of it, or a range. */
  readonly expected:
    | { readonly value: number; readonly within: Readonly<Record<Size, number>> }
    | { readonly least: number; readonly most: number };
  readonly measure: (size: Size) => number;
}

const KLEINROCK = 'Kleinrock, Queueing Systems I';
const ERLANG = 'Erlang 1917';
const MITZENMACHER = 'Mitzenmacher 2001; Vvedenskaya et al. 1996';
const AZAR = 'Azar, Broder, Karlin, Upfal 1999';
const MAGLEV = 'Eisenbud et al. 2016';

/** Everything that the page shows, in its order. */
export const PUBLISHED: readonly PublishedResult[] = [
  ...[0.5, 0.8].flatMap((rho): PublishedResult[] => [
    {
      title: `random split over 10 servers at load ${rho}: mean (M/M/1)`,
      source: KLEINROCK,
      expected: { value: mm1(rho), within: { reduced: 0.04, full: 0.02 } },
      measure: (size) => average(size, (seed, scale) => split(rho, seed, scale).mean),
    },
    {
      title: `random split over 10 servers at load ${rho}: p99`,
      source: KLEINROCK,
      expected: { value: mm1P99(rho), within: { reduced: 0.06, full: 0.03 } },
      measure: (size) => average(size, (seed, scale) => split(rho, seed, scale).p99),
    },
  ]),
  ...[
    { rho: 0.7, places: 1 },
    { rho: 0.8, places: 4 },
    { rho: 0.9, places: 16 },
  ].map(
    ({ rho, places }): PublishedResult => ({
      title: `one server with ${places} place${places === 1 ? '' : 's'} at load ${rho}: mean (M/M/${places})`,
      source: ERLANG,
      expected: { value: erlangC(places, rho), within: { reduced: 0.05, full: 0.02 } },
      measure: (size) => average(size, (seed, scale) => oneServer(rho, places, seed, scale)),
    }),
  ),
  {
    title: 'processor sharing at load 0.7, work of two sizes: mean (M/G/1-PS, insensitive)',
    source: KLEINROCK,
    expected: { value: mm1(0.7), within: { reduced: 0.05, full: 0.02 } },
    measure: (size) => average(size, sharing),
  },
  {
    title: 'rr over 100 servers at load 0.8: mean (limit D/M/1)',
    source: KLEINROCK,
    expected: { value: dm1(0.8), within: { reduced: 0.04, full: 0.02 } },
    measure: (size) => average(size, (seed, scale) => many('rr', 100, 0.8, seed, scale)),
  },
  ...[
    { scheduler: 'twos', choices: 2 },
    { scheduler: 'lab-two', choices: 2 },
    { scheduler: 'lab-three', choices: 3 },
  ].map(
    ({ scheduler, choices }): PublishedResult => ({
      title: `${scheduler} over 100 servers at load 0.9: mean (supermarket model, d = ${choices})`,
      source: MITZENMACHER,
      expected: { value: supermarket(0.9, choices), within: { reduced: 0.08, full: 0.06 } },
      measure: (size) => average(size, (seed, scale) => many(scheduler, 100, 0.9, seed, scale)),
    }),
  ),
  {
    title: 'lc by lab-jsq over 20 servers at load 0.9: means',
    source: 'by definition on equal servers',
    expected: { value: 1, within: { reduced: 0.02, full: 0.01 } },
    measure: (size) =>
      average(
        size,
        (seed, scale) => many('lc', 20, 0.9, seed, scale) / many('lab-jsq', 20, 0.9, seed, scale),
      ),
  },
  ...[
    { scheduler: 'lab-random', choices: 1, least: 4.8, most: 6.6 },
    { scheduler: 'lab-two', choices: 2, least: 2.9, most: 3.4 },
    { scheduler: 'lab-three', choices: 3, least: 2, most: 2.9 },
  ].map(
    ({ scheduler, choices, least, most }): PublishedResult => ({
      title: `1000 balls in 1000 bins, ${choices} choice${choices === 1 ? '' : 's'}: fullest bin`,
      source: AZAR,
      expected: { least, most },
      measure: (size) => fullestBin(scheduler, size === 'full' ? 100 : 10),
    }),
  ),
  ...[
    { size: 65_537, count: 655 },
    { size: 4093, count: 40 },
  ].map(
    ({ size, count }): PublishedResult => ({
      title: `mh, ${size} slots, ${count} servers: most slots by fewest (at most 1 % apart from 100 slots a server on)`,
      source: MAGLEV,
      expected: { least: 1, most: 1.01 },
      measure: () => maglevBalance(size, count),
    }),
  ),
  ...[
    { size: 65_537, count: 655, most: 0.05 },
    { size: 65_537, count: 40, most: 0.02 },
    { size: 4093, count: 40, most: 0.05 },
  ].map(
    ({ size, count, most }): PublishedResult => ({
      title: `mh, ${size} slots, ${count} servers, one goes: share of the others' slots that change hands`,
      source: 'no figure known to us; bound of our tests',
      expected: { least: 0, most },
      measure: (scale) => maglevDisruption(size, count, scale === 'full' ? count : 5),
    }),
  ),
];

/** Schedulers from the best mean response time to the worst, which is what joining ever longer queues costs. */
export const BEST_TO_WORST = ['lab-jsq', 'lab-three', 'lab-two', 'rr', 'lab-random'] as const;

/** Mean response times of these over 50 servers at load 0.9. */
export function orderedMeans(size: Size): number[] {
  return BEST_TO_WORST.map((scheduler) =>
    average(size, (seed, scale) => many(scheduler, 50, 0.9, seed, scale)),
  );
}

/** Whether a measured value is what it should be. */
export function isMet({ expected }: PublishedResult, measured: number, size: Size): boolean {
  if ('least' in expected) return measured >= expected.least && measured <= expected.most;
  return Math.abs(measured / expected.value - 1) <= expected.within[size];
}

/** @param measure one replication; `scale` multiplies its connections */
function average(size: Size, measure: (replication: number, scale: number) => number): number {
  const [count, scale] = size === 'full' ? [5, 5] : [2, 1];
  let sum = 0;
  for (let replication = 0; replication < count; replication++) sum += measure(replication, scale);
  return sum / count;
}

const load = (rho: number, servers: number, scale: number, more: Partial<Workload> = {}): Workload =>
  workload(rho, servers, { connections: 150_000 * scale, warmupMs: 50, ...more });

const split = (
  rho: number,
  replication: number,
  scale: number,
): { readonly mean: number; readonly p99: number } =>
  run(rules('lab-random', 10), load(rho, 10, 2 * scale), 1, replication).response;

function oneServer(rho: number, places: number, replication: number, scale: number): number {
  const servers = { default: { ...DEFAULT_SERVER, concurrency: places }, each: [] };
  return run(rules('rr', 1), load(rho, places, scale, { servers }), 1, replication).response.mean;
}

function sharing(replication: number, scale: number): number {
  const server = { ...DEFAULT_SERVER, discipline: 'ps' as const, concurrency: Number.POSITIVE_INFINITY };
  const serviceTime = { kind: 'bimodal', short: 0.5, long: 5.5, share: 0.1 } as const;
  const more = { servers: { default: server, each: [] }, serviceTime };
  return run(rules('rr', 1), load(0.7, 1, scale, more), 1, replication).response.mean;
}

const many = (scheduler: string, servers: number, rho: number, replication: number, scale: number): number =>
  run(rules(scheduler, servers), load(rho, servers, scale), 1, replication).response.mean;

/** Connections that never end: each is a ball. */
function fullestBin(scheduler: string, seeds: number): number {
  const bins = 1000;
  const balls = workload(1, bins, {
    connections: bins,
    longLived: { share: 1, duration: { kind: 'deterministic', value: 1e9 } },
  });
  let sum = 0;
  for (let seed = 0; seed < seeds; seed++) {
    const { servers } = run(rules(scheduler, bins), balls, seed);
    sum += Math.max(...servers.map(({ connections }) => connections));
  }
  return sum / seeds;
}
