import type { DirectorPort } from '../../src/core/commands.ts';
import type { DestEntry, ServiceEntry, StatsSnapshot } from '../../src/core/config.ts';
import type { Errno } from '../../src/core/errors.ts';
import { IpvsError } from '../../src/core/errors.ts';
import { destConfig, serviceConfig } from '../support/core.ts';

export const NO_STATS: StatsSnapshot = {
  conns: 0,
  inPackets: 0,
  outPackets: 0,
  inBytes: 0,
  outBytes: 0,
  cps: 0,
  inPps: 0,
  outPps: 0,
  inBps: 0,
  outBps: 0,
};

export const serviceEntry = (
  overrides: Parameters<typeof serviceConfig>[0] & Partial<ServiceEntry> = {},
): ServiceEntry => ({
  ...serviceConfig(overrides),
  stats: overrides.stats ?? NO_STATS,
});

export const destEntry = (n: number, overrides: Partial<DestEntry> = {}): DestEntry => ({
  ...destConfig(n, overrides),
  active: 0,
  inactive: 0,
  persistent: 0,
  stats: NO_STATS,
  ...overrides,
});

/** A director that refuses every change and question but those answered here. */
export function refusingPort(
  errno: Errno,
  reason: string,
  answers: Partial<Record<string, unknown>> = {},
): DirectorPort {
  const ask = async ({ query }: { readonly query: string }): Promise<unknown> => {
    if (query in answers) return answers[query];
    throw new IpvsError(errno, reason);
  };
  return {
    apply: async () => {
      throw new IpvsError(errno, reason);
    },
    ask: ask as DirectorPort['ask'],
  };
}
