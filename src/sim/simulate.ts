import type { Command } from '../core/commands.ts';
import type { ServiceKey } from '../core/config.ts';
import type { SchedulerSpec } from '../core/scheduler.ts';
import { SCHEDULERS } from '../schedulers/registry.ts';
import { REFERENCE_SCHEDULERS } from './reference.ts';
import type { RunResult } from './results.ts';
import { makeScene } from './setup.ts';
import { Simulation } from './simulation.ts';
import type { Workload } from './workload.ts';

/** The kernel's schedulers, and those of the laboratory. */
export const schedulers: readonly SchedulerSpec[] = [...SCHEDULERS, ...REFERENCE_SCHEDULERS];

/** What is to be simulated. */
export interface Experiment {
  /** What makes the director's tables, in order. */
  readonly commands: readonly Command[];
  readonly workload: Workload;
  /** Which service; may be left out if there is only one. */
  readonly service?: ServiceKey | undefined;
  /** In place of the service's own scheduler. */
  readonly scheduler?: string | undefined;
  readonly seed: number;
  /** Which repetition, from 0; each has random numbers of its own. */
  readonly replication: number;
  /** In place of `schedulers`. */
  readonly schedulers?: readonly SchedulerSpec[] | undefined;
}

/** Prepares a run that is then worked off in slices. @throws SimulationProblem, IpvsError */
export function prepare(experiment: Experiment): Simulation {
  const { commands, workload, service, scheduler, seed, replication } = experiment;
  const specs = experiment.schedulers ?? schedulers;
  const scene = makeScene(commands, workload, specs, service, scheduler);
  return new Simulation(scene, workload, specs, { seed, replication, scheduler: scene.scheduler });
}

/** Simulates to the end. @throws SimulationProblem, IpvsError */
export function simulate(experiment: Experiment): RunResult {
  const simulation = prepare(experiment);
  while (!simulation.advance(Number.MAX_SAFE_INTEGER));
  return simulation.result();
}
