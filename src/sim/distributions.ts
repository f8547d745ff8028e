import type { Random } from './random.ts';

/** A distribution of times in ms, all above or equal to 0. */
export type Distribution =
  | { readonly kind: 'exponential'; readonly mean: number }
  | { readonly kind: 'deterministic'; readonly value: number }
  /** `sigma`: standard deviation of the logarithm. */
  | { readonly kind: 'lognormal'; readonly mean: number; readonly sigma: number }
  /** Bounded Pareto on [min, max]. */
  | { readonly kind: 'pareto'; readonly shape: number; readonly min: number; readonly max: number }
  /** Two values; `share` of all are `long`. */
  | { readonly kind: 'bimodal'; readonly short: number; readonly long: number; readonly share: number }
  /** Recorded values, each as likely as the others. */
  | { readonly kind: 'empirical'; readonly values: readonly number[] };

/** Draws one time in ms. */
export type Sampler = () => number;

/** @returns a sampler of `distribution` that draws from `random`, the same number of times whatever comes out */
export function sampler(distribution: Distribution, random: Random): Sampler {
  switch (distribution.kind) {
    case 'exponential': {
      const { mean } = distribution;
      return () => -Math.log(1 - random()) * mean;
    }
    case 'deterministic': {
      const { value } = distribution;
      return () => value;
    }
    case 'lognormal': {
      const { mean, sigma } = distribution;
      const mu = Math.log(mean) - (sigma * sigma) / 2;
      return () => Math.exp(mu + sigma * normal(random));
    }
    case 'pareto': {
      const { shape, min, max } = distribution;
      const cut = 1 - power(min / max, shape);
      return () => min * power(1 - random() * cut, -1 / shape);
    }
    case 'bimodal': {
      const { short, long, share } = distribution;
      return () => (random() < share ? long : short);
    }
    case 'empirical': {
      const { values } = distribution;
      return () => values[Math.floor(random() * values.length)]!;
    }
  }
}

/** @returns the expected value in ms */
export function meanOf(distribution: Distribution): number {
  switch (distribution.kind) {
    case 'exponential':
    case 'lognormal':
      return distribution.mean;
    case 'deterministic':
      return distribution.value;
    case 'pareto':
      return meanOfPareto(distribution.shape, distribution.min, distribution.max);
    case 'bimodal':
      return distribution.short * (1 - distribution.share) + distribution.long * distribution.share;
    case 'empirical':
      return distribution.values.reduce((sum, value) => sum + value, 0) / distribution.values.length;
  }
}

function meanOfPareto(shape: number, min: number, max: number): number {
  if (min === max) return min;
  const cut = 1 - power(min / max, shape);
  if (shape === 1) return (min * Math.log(max / min)) / cut;
  return ((min * shape) / (shape - 1) / cut) * (1 - power(min / max, shape - 1));
}

/** Standard normal, by Box and Muller; the second value is left unused so that no state is kept. */
function normal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random()));
  return radius * Math.cos(2 * Math.PI * random());
}

/** Engines differ in the last bit of `**`, and agree on these. */
const power = (base: number, exponent: number): number => Math.exp(exponent * Math.log(base));
