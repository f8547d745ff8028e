import type { DestEntry, ServiceEntry, StatsSnapshot } from '../../src/core/config.ts';
import { destConfig, serviceConfig } from './core.ts';

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

/** A service as a director tells it: TCP 10.0.0.1:80, or at `vip`. */
export const serviceEntry = (overrides: Partial<ServiceEntry> & { vip?: string } = {}): ServiceEntry => ({
  ...serviceConfig(overrides),
  stats: overrides.stats ?? NO_STATS,
});

/** A destination as a director tells it: idle at 10.2.0.`n`:8080, or at `ip`. */
export const destEntry = (n: number, overrides: Partial<DestEntry> & { ip?: string } = {}): DestEntry => ({
  active: 0,
  inactive: 0,
  persistent: 0,
  overloaded: false,
  stats: NO_STATS,
  ...destConfig(n, overrides),
});
