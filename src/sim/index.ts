export { formatAddress, parseAddress } from '../core/address.ts';
export type { Command } from '../core/commands.ts';
export type { DestConfig, DestKey, ServiceConfig, ServiceKey } from '../core/config.ts';
export type { SchedulerSpec } from '../core/scheduler.ts';
export { isCapture } from './capture/capture.ts';
export { SimulationProblem } from './problem.ts';
export type { RunResult } from './results.ts';
export { type Experiment, prepare, schedulers, simulate } from './simulate.ts';
export { METRICS, type SchedulerSummary, summarise } from './summary.ts';
export { WORKLOAD_DEFAULTS, type Workload } from './workload.ts';
export {
  type ParsedWorkload,
  parseWorkload,
  type TraceContent,
  type WorkloadProblem,
} from './workload-file.ts';
