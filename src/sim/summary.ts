import type { RunResult } from './results.ts';
import { type Estimate, estimate, type PairedDifference, pairedDifference } from './statistics.ts';

/** What a metric counts. */
export type MetricUnit = 'ms' | 'ratio' | 'share';

export interface Metric {
  readonly name: string;
  readonly unit: MetricUnit;
  readonly meaning: string;
  /** Which of two values one would rather have. */
  readonly better: 'lower' | 'higher';
  readonly of: (run: RunResult) => number;
}

const shareOf = (count: number, { outcomes }: RunResult): number =>
  outcomes.arrived === 0 ? 0 : count / outcomes.arrived;

/** What is told of every scheduler, in the order of the tables. */
export const METRICS: readonly Metric[] = [
  {
    name: 'mean',
    unit: 'ms',
    meaning: 'response time, mean',
    better: 'lower',
    of: (run) => run.response.mean,
  },
  {
    name: 'p50',
    unit: 'ms',
    meaning: 'response time, median',
    better: 'lower',
    of: (run) => run.response.p50,
  },
  {
    name: 'p90',
    unit: 'ms',
    meaning: 'response time, 90 % are below',
    better: 'lower',
    of: (run) => run.response.p90,
  },
  {
    name: 'p99',
    unit: 'ms',
    meaning: 'response time, 99 % are below',
    better: 'lower',
    of: (run) => run.response.p99,
  },
  {
    name: 'p99.9',
    unit: 'ms',
    meaning: 'response time, 99.9 % are below',
    better: 'lower',
    of: (run) => run.response.p999,
  },
  {
    name: 'imbalance',
    unit: 'ratio',
    meaning: 'open connections by weight: highest by average',
    better: 'lower',
    of: (run) => run.imbalance.maxOverMean,
  },
  {
    name: 'cv',
    unit: 'ratio',
    meaning: 'open connections by weight: coefficient of variation',
    better: 'lower',
    of: (run) => run.imbalance.cv,
  },
  {
    name: 'jain',
    unit: 'ratio',
    meaning: "open connections by weight: Jain's index",
    better: 'higher',
    of: (run) => run.imbalance.jain,
  },
  {
    name: 'refused',
    unit: 'share',
    meaning: 'connections that got no server, or were reset by theirs',
    better: 'lower',
    of: (run) => shareOf(run.outcomes.noServer + run.outcomes.tableFull + run.outcomes.byServer, run),
  },
  {
    name: 'broken',
    unit: 'share',
    meaning: 'connections begun and not answered',
    better: 'lower',
    of: (run) => shareOf(run.outcomes.broken, run),
  },
  {
    name: 'moved',
    unit: 'share',
    meaning: 'clients sent elsewhere after an event although their server was to be had, all events together',
    better: 'lower',
    of: movedShare,
  },
];

/** One scheduler over all replications. */
export interface SchedulerSummary {
  readonly scheduler: string;
  readonly metrics: Readonly<Record<string, Estimate>>;
  /** Against the first scheduler, with the same random numbers; absent for the first. */
  readonly differences?: Readonly<Record<string, PairedDifference>>;
  /** In order of replication. */
  readonly runs: readonly RunResult[];
}

/** @param runs by scheduler, the first being the one that others are compared with; each in order of replication */
export function summarise(runs: readonly (readonly RunResult[])[]): SchedulerSummary[] {
  const base = runs[0] ?? [];
  return runs.map((own, i) => {
    const values = (metric: Metric, of: readonly RunResult[]): number[] => of.map(metric.of);
    const metrics = Object.fromEntries(METRICS.map((each) => [each.name, estimate(values(each, own))]));
    const summary = { scheduler: own[0]!.scheduler, metrics, runs: own };
    if (i === 0) return summary;
    const pairs = own.filter((run) => base.some(({ replication }) => replication === run.replication));
    const partners = pairs.map((run) => base.find(({ replication }) => replication === run.replication)!);
    const differences = Object.fromEntries(
      METRICS.map((each) => [each.name, pairedDifference(values(each, pairs), values(each, partners))]),
    );
    return { ...summary, differences };
  });
}

function movedShare({ churn }: RunResult): number {
  const returned = churn.reduce((sum, event) => sum + event.returned, 0);
  return returned === 0 ? 0 : churn.reduce((sum, event) => sum + event.moved, 0) / returned;
}
