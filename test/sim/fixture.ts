import type { Command } from '../../src/core/commands.ts';
import type { DestConfig, ServiceConfig } from '../../src/core/config.ts';
import type { RunResult } from '../../src/sim/results.ts';
import { simulate } from '../../src/sim/simulate.ts';
import { WORKLOAD_DEFAULTS, type Workload } from '../../src/sim/workload.ts';
import { ALL_FLAGS, destConfig, serviceConfig } from '../support/core.ts';

/** One service with `count` servers of weight 1, the first of the list being 10.2.0.1. */
export function rules(
  scheduler: string,
  count: number,
  dest: (n: number) => Partial<DestConfig> = () => ({}),
  service: Partial<ServiceConfig> = {},
): Command[] {
  const config = serviceConfig({ scheduler, ...service });
  return [
    { op: 'add-service', service: config, flagsMask: ALL_FLAGS },
    ...Array.from({ length: count }, (_, i): Command => {
      const n = i + 1;
      const made = destConfig(n, { ip: `10.2.${n >> 8}.${n & 255}`, ...dest(n) });
      return { op: 'add-dest', service: config, dest: made };
    }),
  ];
}

/** Poisson arrivals at a load of `rho` on `servers` servers, whose work takes 1 ms in the mean. */
export function workload(rho: number, servers: number, overrides: Partial<Workload> = {}): Workload {
  return {
    ...WORKLOAD_DEFAULTS,
    model: 'counters',
    connections: 100_000,
    arrivals: { kind: 'poisson', rate: rho * servers * 1000 },
    serviceTime: { kind: 'exponential', mean: 1 },
    ...overrides,
  };
}

export function run(commands: readonly Command[], load: Workload, seed = 1, replication = 0): RunResult {
  return simulate({ commands, workload: load, seed, replication });
}
