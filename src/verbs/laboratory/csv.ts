import { METRICS } from '../../sim/summary.ts';
import type { Outcome } from './outcome.ts';

/** One line for each scheduler and replication; times in ms, what is not known is empty. */
export function outcomeCsv({ schedulers }: Outcome): string {
  const header = ['scheduler', 'replication', 'arrived', 'completed', ...METRICS.map(({ name }) => name)];
  const lines = schedulers.flatMap(({ scheduler, runs }) =>
    runs.map((run) => {
      const metrics = METRICS.map(({ of }) => of(run)).map((value) =>
        Number.isNaN(value) ? '' : String(value),
      );
      return [scheduler, run.replication, run.outcomes.arrived, run.outcomes.completed, ...metrics].join(',');
    }),
  );
  return `${[header.join(','), ...lines].join('\n')}\n`;
}
