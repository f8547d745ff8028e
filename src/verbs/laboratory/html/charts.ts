import type { ChartData, LoadChart } from '../../../report-page/chart-data.ts';
import type { RunResult } from '../../../sim/results.ts';
import type { SchedulerSummary } from '../../../sim/summary.ts';

/** Points of a distribution's curve. */
const MOST_POINTS = 400;

/** Units of time, the first of which the run has more than three. */
const TIME_UNITS = [
  { name: 'h', ms: 3_600_000 },
  { name: 'min', ms: 60_000 },
  { name: 's', ms: 1000 },
  { name: 'ms', ms: 1 },
] as const;

/** A distribution begins where this share of the connections is still to come under some scheduler. */
const NEARLY_ALL = 0.999;

/** Turns the results into lines. */
export function chartData(schedulers: readonly SchedulerSummary[]): ChartData {
  const firsts = schedulers.map(({ runs }) => runs[0]!);
  const longest = Math.max(...firsts.map(({ simulatedMs }) => simulatedMs));
  const unit = TIME_UNITS.find(({ ms }) => longest > 3 * ms) ?? TIME_UNITS[3];
  return {
    distribution: distribution(schedulers),
    loads: firsts.map((run) => loadChart(run, unit.ms)),
    events: firsts[0]!.churn.map(({ atMs, event }) => ({ at: atMs / unit.ms, label: event })),
    timeUnit: unit.name,
  };
}

/** Every line is read at the same response times: edges of buckets, at which it is exact. */
function distribution(schedulers: readonly SchedulerSummary[]): ChartData['distribution'] {
  const edges = new Set(
    schedulers.flatMap(({ runs }) => runs.flatMap(({ histogram }) => histogram.map(({ below }) => below))),
  );
  const sorted = [...edges].sort((a, b) => a - b);
  const stride = Math.ceil(sorted.length / MOST_POINTS);
  const ms = sorted.filter((_, i) => i % stride === 0 || i === sorted.length - 1);
  const curves = schedulers.map(({ scheduler, runs }) => ({ name: scheduler, values: above(runs, ms) }));
  const begin = ms.findIndex((_, i) => curves.some(({ values }) => (values[i] ?? 0) < NEARLY_ALL));
  return {
    ms: ms.slice(begin).map(rounded),
    curves: curves.map(({ name, values }) => ({ name, values: values.slice(begin) })),
  };
}

/** @returns the share of all connections that took longer than each of `ms` */
function above(runs: readonly RunResult[], ms: readonly number[]): (number | null)[] {
  const buckets = runs.flatMap(({ histogram }) => histogram).sort((a, b) => a.below - b.below);
  const total = buckets.reduce((sum, { count }) => sum + count, 0);
  let next = 0;
  let seen = 0;
  return ms.map((edge) => {
    while (next < buckets.length && buckets[next]!.below <= edge) seen += buckets[next++]!.count;
    return seen < total ? rounded((total - seen) / total) : null;
  });
}

/** A line for each server; if there are too many, the highest, the mean and the lowest, by weight. */
function loadChart({ scheduler, series, servers }: RunResult, unitMs: number): LoadChart {
  const at = series.atMs.map((ms) => rounded(ms / unitMs));
  if (series.open.length === servers.length) {
    const lines = servers.map(({ server }, i) => ({ name: server, values: series.open[i]! }));
    return { scheduler, at, lines, unit: 'open connections' };
  }
  const lines = [
    { name: 'highest', values: series.max.map(rounded) },
    { name: 'mean', values: series.mean.map(rounded) },
    { name: 'lowest', values: series.min.map(rounded) },
  ];
  return { scheduler, at, lines, unit: 'open connections by weight' };
}

const rounded = (value: number): number => Number(value.toPrecision(5));
