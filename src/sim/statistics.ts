/** Mean with the half width of its 95 % confidence interval; NaN for fewer than two values. */
export interface Estimate {
  readonly mean: number;
  readonly half: number;
}

const CONFIDENCE = 0.95;
/** Steps of bisection: more than a double has bits. */
const BISECTIONS = 60;
const MOST_TERMS = 300;

/** Values that are NaN (nothing was seen) are left out. */
export function estimate(values: readonly number[]): Estimate {
  const seen = values.filter((value) => !Number.isNaN(value));
  const mean = meanOfAll(seen);
  if (seen.length < 2) return { mean, half: Number.NaN };
  const error = Math.sqrt(variance(seen) / seen.length);
  return { mean, half: studentQuantile((1 + CONFIDENCE) / 2, seen.length - 1) * error };
}

/** How one series differs from another of which each value had the same random numbers. */
export interface PairedDifference extends Estimate {
  /** Two-sided p-value of Student's paired test; NaN for fewer than two pairs. */
  readonly p: number;
}

export function pairedDifference(values: readonly number[], base: readonly number[]): PairedDifference {
  const differences = values.map((value, i) => value - base[i]!).filter((each) => !Number.isNaN(each));
  const { mean, half } = estimate(differences);
  if (differences.length < 2) return { mean, half, p: Number.NaN };
  const error = Math.sqrt(variance(differences) / differences.length);
  if (error === 0) return { mean, half, p: mean === 0 ? 1 : 0 };
  return { mean, half, p: 2 * (1 - studentCdf(Math.abs(mean) / error, differences.length - 1)) };
}

/** Probability that a variable of Student's t distribution is below `t`. */
function studentCdf(t: number, freedom: number): number {
  const tail = incompleteBeta(freedom / 2, 0.5, freedom / (freedom + t * t)) / 2;
  return t > 0 ? 1 - tail : tail;
}

/** @param share above 0.5 */
export function studentQuantile(share: number, freedom: number): number {
  let low = 0;
  let high = 1;
  while (studentCdf(high, freedom) < share) high *= 2;
  for (let i = 0; i < BISECTIONS; i++) {
    const middle = (low + high) / 2;
    if (studentCdf(middle, freedom) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

const meanOfAll = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function variance(values: readonly number[]): number {
  const mean = meanOfAll(values);
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
}

/** Regularised incomplete beta function, by its continued fraction (Abramowitz and Stegun 26.5.8, Lentz's method). */
function incompleteBeta(a: number, b: number, x: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(b, a, 1 - x);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x));
  let c = 1;
  let d = 1 / (1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m < MOST_TERMS; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / (1 + even * d);
    c = 1 + even / c;
    fraction *= c * d;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / (1 + odd * d);
    c = 1 + odd / c;
    fraction *= c * d;
    if (Math.abs(c * d - 1) < Number.EPSILON) break;
  }
  return (front * fraction) / a;
}

/** Stirling's series, after shifting the argument to where it is exact to 1e-12. */
function logGamma(z: number): number {
  let shift = 0;
  let x = z;
  for (; x < 10; x++) shift += Math.log(x);
  const inverse = 1 / (x * x);
  const series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse / 1680))) / x;
  return (x - 0.5) * Math.log(x) - x + Math.log(2 * Math.PI) / 2 + series - shift;
}
