import type { RunResult } from '../../sim/results.ts';
import type { SchedulerSummary } from '../../sim/summary.ts';

type ServerSummary = RunResult['servers'][number];

/** One event of the churn over all replications; shares of the clients that returned, NaN if none did. */
interface ChurnSummary {
  readonly atMs: number;
  readonly event: string;
  readonly moved: number;
  readonly forced: number;
  /** Mean over the replications in which it was absorbed; NaN for none. */
  readonly absorbedMs: number;
}

/** Every server, averaged over the replications. */
export function serverSummaries({ runs }: SchedulerSummary): ServerSummary[] {
  return runs[0]!.servers.map(({ server, weight }, at) => {
    const average = (of: (one: ServerSummary) => number): number =>
      meanOf(runs.map((run) => of(run.servers[at]!)));
    return {
      server,
      weight,
      connections: average(({ connections }) => connections),
      share: average(({ share }) => share),
      meanOpen: average(({ meanOpen }) => meanOpen),
      utilisation: average(({ utilisation }) => utilisation),
    };
  });
}

/** Every event of the churn, all replications together. */
export function churnSummaries({ runs }: SchedulerSummary): ChurnSummary[] {
  return runs[0]!.churn.map(({ atMs, event }, i) => {
    const all = runs.map((run) => run.churn[i]).filter((each) => each !== undefined);
    const total = (of: (one: (typeof all)[number]) => number): number =>
      all.reduce((sum, each) => sum + of(each), 0);
    const returned = total((each) => each.returned);
    const absorbed = all.map(({ absorbedMs }) => absorbedMs).filter((each) => !Number.isNaN(each));
    return {
      atMs,
      event,
      moved: total((each) => each.moved) / returned,
      forced: total((each) => each.forced) / returned,
      absorbedMs: meanOf(absorbed),
    };
  });
}

/** What became of connections, averaged over the replications. */
export function outcomeSummary({ runs }: SchedulerSummary): RunResult['outcomes'] {
  const average = (of: (outcomes: RunResult['outcomes']) => number): number =>
    meanOf(runs.map(({ outcomes }) => of(outcomes)));
  return {
    arrived: average(({ arrived }) => arrived),
    completed: average(({ completed }) => completed),
    noServer: average(({ noServer }) => noServer),
    tableFull: average(({ tableFull }) => tableFull),
    byServer: average(({ byServer }) => byServer),
    broken: average(({ broken }) => broken),
  };
}

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
