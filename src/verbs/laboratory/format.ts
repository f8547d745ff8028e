import type { Estimate, PairedDifference } from '../../sim/statistics.ts';
import type { MetricUnit } from '../../sim/summary.ts';

/** Below these p-values a difference is marked with two stars, and with one. */
const VERY_SIGNIFICANT = 0.01;
const SIGNIFICANT = 0.05;

/** A value with its unit as people read it; `-` for what is not known. */
export function formatValue(value: number, unit: MetricUnit): string {
  if (Number.isNaN(value)) return '-';
  if (unit === 'share') return `${digits(value * 100)} %`;
  return unit === 'ms' ? `${digits(value)} ms` : digits(value);
}

/** The half width of a confidence interval, in the unit in which `formatValue` shows the value; '' if it is not known. */
export function formatHalf(half: number, unit: MetricUnit): string {
  return Number.isNaN(half) ? '' : `±${digits(unit === 'share' ? half * 100 : half)}`;
}

/** Value and confidence interval. */
export function formatEstimate({ mean, half }: Estimate, unit: MetricUnit): string {
  return `${formatValue(mean, unit)} ${formatHalf(half, unit)}`.trimEnd();
}

/** Stars for how sure a difference is. */
export function significance(difference: PairedDifference | undefined): '' | '*' | '**' {
  if (!difference || Number.isNaN(difference.p)) return '';
  if (difference.p < VERY_SIGNIFICANT) return '**';
  return difference.p < SIGNIFICANT ? '*' : '';
}

/** Three digits that count. */
export function digits(value: number): string {
  if (value === 0 || Math.abs(value) >= 1000) return value.toFixed(0);
  return value.toPrecision(3);
}
