import type { Query, QueryResults, ServingState, Status } from '../../src/core/commands.ts';
import { Exposition } from '../../src/metrics/exposition.ts';
import { LABEL_NAMES, type LabelName } from '../../src/metrics/labels.ts';
import type { MetricsSource, ServiceRow } from '../../src/metrics/snapshot.ts';
import { NO_STATS } from '../support/entries.ts';
import { seriesOf } from '../support/exposition.ts';
import { FakePort } from '../support/fake-port.ts';

/** A director of fixed answers. */
export class FakeSource extends FakePort implements MetricsSource {
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

  constructor() {
    super({
      services: () => this.rows.map((row) => row.service),
      dests: ({ service }) => this.rows.find((row) => row.service === service)?.dests ?? [],
      info: () => ({ version: 0, tableSize: 0 }),
      status: () => this.status(),
    });
  }

  async totals() {
    this.asked.push('totals');
    await this.gate();
    return { stats: this.stats, decisions: this.decisions, drops: this.drops };
  }

  override async ask<Q extends Query>(query: Q): Promise<QueryResults[Q['query']]> {
    this.asked.push(query.query);
    await this.gate();
    return super.ask(query);
  }

  private status(): Status {
    return {
      pid: 1,
      version: '1.2.3',
      plane: 'proxy',
      io: 'node',
      capture: '',
      footprint: [],
      problems: [],
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
