import type { Query, QueryResults, ServingState, Status } from '../../src/core/commands.ts';
import type { DestEntry, ServiceEntry, StatsSnapshot } from '../../src/core/config.ts';
import { IpvsError } from '../../src/core/errors.ts';
import { Exposition } from '../../src/metrics/exposition.ts';
import { LABEL_NAMES, type LabelName } from '../../src/metrics/labels.ts';
import type { MetricsSource, ServiceRow } from '../../src/metrics/snapshot.ts';
import { destConfig, serviceConfig } from '../support/core.ts';
import { seriesOf } from '../support/exposition.ts';

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

export const service = (overrides: Partial<ServiceEntry> & { vip?: string } = {}): ServiceEntry => ({
  ...serviceConfig(overrides),
  stats: overrides.stats ?? NO_STATS,
});

/** A destination at 10.2.0.`n`:8080, or at `ip`. */
export const dest = (n: number, overrides: Partial<DestEntry> & { ip?: string } = {}): DestEntry => ({
  active: 0,
  inactive: 0,
  persistent: 0,
  overloaded: false,
  stats: NO_STATS,
  ...destConfig(n, overrides),
});

/** A director of fixed answers. */
export class FakeSource implements MetricsSource {
  rows: readonly ServiceRow[] = [];
  states: readonly ServingState[] = [];
  stats = NO_STATS;
  decisions: Readonly<Record<string, number>> = {};
  drops: Readonly<Record<string, number>> = {};
  counters: Readonly<Record<string, number>> = {};
  /** Names of the questions, in their order. */
  readonly asked: string[] = [];
  /** What keeps answers from being given. */
  gate: () => Promise<void> = () => Promise.resolve();

  async totals() {
    this.asked.push('totals');
    await this.gate();
    return { stats: this.stats, decisions: this.decisions, drops: this.drops };
  }

  async ask<Q extends Query>(query: Q): Promise<QueryResults[Q['query']]> {
    this.asked.push(query.query);
    await this.gate();
    return this.answer(query) as QueryResults[Q['query']];
  }

  private answer(query: Query): QueryResults[Query['query']] {
    switch (query.query) {
      case 'services':
        return this.rows.map((row) => row.service);
      case 'dests':
        return this.rows.find((row) => row.service === query.service)?.dests ?? [];
      case 'info':
        return { version: 0, tableSize: 0 };
      case 'status':
        return this.status();
      default:
        throw new IpvsError('EINVAL', `not asked by metrics: ${query.query}`);
    }
  }

  private status(): Status {
    return {
      pid: 1,
      version: '1.2.3',
      plane: 'proxy',
      io: 'node',
      uptimeSec: 77,
      services: this.states,
      connections: 5,
      connectionsMax: 100,
      counters: this.counters,
    };
  }
}

export interface ExpositionFixture {
  readonly labels?: readonly LabelName[];
  readonly version?: string;
  readonly answerLimitMs?: number;
}

export function makeExposition(source: MetricsSource, options: ExpositionFixture = {}): Exposition {
  const { labels = LABEL_NAMES, version = '1.2.3', answerLimitMs = 10_000 } = options;
  const now = () => performance.now();
  return new Exposition({
    source,
    labels,
    version,
    answerLimitMs,
    now,
    activeSec: () => ({ main: 3, worker: 4 }),
  });
}

/** @returns the series of the director and its tables. */
export async function scrape(
  source: MetricsSource,
  options: ExpositionFixture = {},
): Promise<Map<string, number>> {
  return seriesOf(await makeExposition(source, options).render(), 'node_ipvs_', 'ipvs_');
}
