import { SCHEDULERS } from '../../src/schedulers/registry.ts';
import type { Figure } from '../figures.ts';
import { nanoseconds } from './measure.ts';
import { directorWith, flowOf } from './tables.ts';

const SERVER_COUNTS = [10, 100, 1000] as const;
const FLOWS = 256;
const CONN_MAX = 16_384;
/** A second more than a connection without replies lives. */
const LIFE_MS = 61_000;
const ESTIMATOR_MS = 2000;

/** Connections that are made, scheduled and expired in turn, by scheduler and number of servers. */
export async function lifeFigures(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { name } of SCHEDULERS) {
    for (const servers of SERVER_COUNTS) {
      const { director, service } = directorWith(name, servers, CONN_MAX);
      // Each call passes a minute for few connections: the estimator's work has a figure of its own.
      director.apply({ op: 'set-sysctl', name: 'run_estimation', value: '0' }, 0);
      const flows = Array.from({ length: FLOWS }, (_, n) => flowOf(service, n));
      let now = 0;
      const value = await nanoseconds(FLOWS, () => {
        for (const flow of flows) director.open(flow, 1, 60, now);
        now += LIFE_MS;
        director.expire(now);
      });
      const what = `connection made, scheduled, expired: ${name}, ${servers} servers`;
      figures.push({ what, value, unit: 'ns' });
    }
  }
  return figures;
}

/** One turn of the estimator over many servers. */
export async function estimatorFigures(): Promise<Figure[]> {
  const { director, service } = directorWith('rr', 1000, CONN_MAX);
  for (let n = 0; n < FLOWS; n++) director.open(flowOf(service, n), 1, 60, 0);
  let now = 0;
  const value = await nanoseconds(1, () => {
    now += ESTIMATOR_MS;
    director.expire(now);
  });
  return [{ what: 'turn of the estimator, 1000 servers', value: value / 1000, unit: 'us' }];
}
