import type { RunResult } from '../../sim/results.ts';
import type { Experiment } from '../../sim/simulate.ts';

/** What every worker gets at its start. */
export interface WorkerSetup {
  /** Not 0: stop at the next opportunity. */
  readonly stop: Int32Array;
}

/** A run to be done. */
export interface Task {
  /** Place of the run in the order of all. */
  readonly index: number;
  readonly experiment: Experiment;
}

/** What a worker tells. */
export type Report =
  | { readonly kind: 'progress'; readonly index: number; readonly share: number }
  | { readonly kind: 'done'; readonly index: number; readonly result: RunResult }
  /** Rules and workload do not fit together. */
  | { readonly kind: 'refused'; readonly message: string };
