import { expect, test } from 'vitest';
import { type Distribution, meanOf, sampler } from '../../src/sim/distributions.ts';
import { Histogram } from '../../src/sim/histogram.ts';
import { randomStream } from '../../src/sim/random.ts';
import { estimate, pairedDifference, studentQuantile } from '../../src/sim/statistics.ts';
import './close.ts';

// Tables of Student's t, two-sided 95 % and 99 %.
test.each([
  { share: 0.975, freedom: 1, t: 12.706 },
  { share: 0.975, freedom: 4, t: 2.776 },
  { share: 0.975, freedom: 30, t: 2.042 },
  { share: 0.995, freedom: 9, t: 3.25 },
])('the $share quantile of t with $freedom degrees of freedom is $t', ({ share, freedom, t }) => {
  expect(studentQuantile(share, freedom)).toBeCloseTo(t, 3);
});

test('an estimate of 1 to 5 is 3 with the half width of the textbook', () => {
  const { mean, half } = estimate([1, 2, 3, 4, 5]);
  expect(mean).toBe(3);
  expect(half).toBeCloseTo((2.776 * Math.sqrt(2.5)) / Math.sqrt(5), 3);
});

test('one value has no interval, and a constant difference is certain', () => {
  expect(estimate([7])).toEqual({ mean: 7, half: Number.NaN });
  expect(pairedDifference([2, 3, 4], [1, 2, 3]).p).toBe(0);
  expect(pairedDifference([1, 2], [1, 2]).p).toBe(1);
});

test('quantiles of a histogram are within 1 % of the exact ones', () => {
  const random = randomStream(1, 0, 1);
  const histogram = new Histogram();
  const values = Array.from({ length: 50_000 }, () => -Math.log(1 - random()) * 10);
  for (const value of values) histogram.add(value);
  values.sort((a, b) => a - b);
  for (const share of [0.1, 0.5, 0.9, 0.99, 0.999]) {
    expect(histogram.quantile(share)).toBeCloseToShare(values[Math.ceil(share * values.length) - 1]!, 0.01);
  }
});

const DISTRIBUTIONS: readonly Distribution[] = [
  { kind: 'exponential', mean: 3 },
  { kind: 'deterministic', value: 3 },
  { kind: 'lognormal', mean: 3, sigma: 0.8 },
  { kind: 'pareto', shape: 1.5, min: 1, max: 50 },
  { kind: 'pareto', shape: 1, min: 1, max: 50 },
  { kind: 'bimodal', short: 1, long: 20, share: 0.1 },
  { kind: 'empirical', values: [1, 2, 6] },
];

test.each(DISTRIBUTIONS)('samples of %o have its mean', (distribution) => {
  const draw = sampler(distribution, randomStream(5, 0, 1));
  let sum = 0;
  for (let i = 0; i < 200_000; i++) sum += draw();
  expect(sum / 200_000).toBeCloseToShare(meanOf(distribution), 0.02);
});

test('streams of one seed differ, and so do seeds beyond 32 bits', () => {
  const first = (seed: number, replication: number, stream: number): number =>
    randomStream(seed, replication, stream)();
  const all = [first(1, 0, 1), first(1, 0, 2), first(1, 1, 1), first(2, 0, 1), first(1 + 2 ** 32, 0, 1)];
  expect(new Set(all).size).toBe(all.length);
});
