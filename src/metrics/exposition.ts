import { setImmediate } from 'node:timers/promises';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { DIRECTOR_FAMILIES } from './director-families.ts';
import { EXPORTER_FAMILIES } from './exporter-families.ts';
import type { Family, LoopFigures, ScrapeView } from './family.ts';
import { type LabelName, type LabelSets, labelSets } from './labels.ts';
import { SharedCall } from './shared-call.ts';
import { type MetricsSource, type Snapshot, takeSnapshot } from './snapshot.ts';
import { DESTINATION_FAMILIES, SERVICE_FAMILIES } from './table-families.ts';
import { viewOf } from './view.ts';

const FAMILIES: readonly Family[] = [
  ...EXPORTER_FAMILIES,
  ...SERVICE_FAMILIES,
  ...DESTINATION_FAMILIES,
  ...DIRECTOR_FAMILIES,
];

/** Gauges of prom-client that are named as counters. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

export interface ExpositionOptions {
  readonly source: MetricsSource;
  /** The labels that series of services and destinations carry; values that then have equal ones are added up. */
  readonly labels: readonly LabelName[];
  readonly version: string;
  /** Seconds in which each thread was busy, since it began. */
  readonly activeSec: () => Readonly<Record<'main' | 'worker', number>>;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  /** How long the director may take to answer. */
  readonly answerLimitMs: number;
}

/** The director's metrics in Prometheus' text format. Nothing is counted here: each scrape asks the director. */
export class Exposition {
  private readonly options: ExpositionOptions;
  private readonly sets: LabelSets;
  private readonly registry = new Registry();
  private readonly own: ReadonlyMap<string, Counter | Gauge>;
  private readonly snapshot: SharedCall<Snapshot>;
  private underWay: Promise<string> | undefined;
  private view: ScrapeView | undefined;

  constructor(options: ExpositionOptions) {
    this.options = options;
    this.sets = labelSets(options.labels);
    this.snapshot = new SharedCall(() => takeSnapshot(options.source, options.now), options.answerLimitMs);
    this.own = new Map(FAMILIES.map((family) => [family.name, this.register(family)]));
    const registers = [this.registry];
    new Gauge({
      name: 'ipvs_build_info',
      help: 'The version of the program and of Node.js; always 1.',
      labelNames: ['node', 'version'],
      registers,
    }).set({ node: process.versions.node, version: options.version }, 1);
    collectDefaultMetrics({ register: this.registry });
    for (const name of MISNAMED) this.registry.removeSingleMetric(name);
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** Scrapes that overlap share one collection. */
  render(): Promise<string> {
    this.underWay ??= this.collect().finally(() => {
      this.underWay = undefined;
    });
    return this.underWay;
  }

  private async collect(): Promise<string> {
    const mainLagSec = await this.mainLag();
    const snapshot = await this.snapshot.get();
    const activeSec = this.options.activeSec();
    const loop = (lagSec: number | undefined, active: number): LoopFigures => ({ lagSec, activeSec: active });
    this.view = {
      director: snapshot && viewOf(snapshot, this.sets),
      loops: {
        main: loop(mainLagSec, activeSec.main),
        worker: loop(snapshot?.workerLagSec, activeSec.worker),
      },
    };
    try {
      return await this.print();
    } finally {
      this.view = undefined;
    }
  }

  /** Metric by metric, with other work between them: thousands of servers make megabytes. */
  private async print(): Promise<string> {
    const texts: string[] = [];
    for (const { name } of this.registry.getMetricsAsArray()) {
      texts.push(await this.registry.getSingleMetricAsString(name));
      this.own.get(name)?.reset();
      await setImmediate();
    }
    return `${texts.join('\n\n')}\n`;
  }

  private async mainLag(): Promise<number> {
    const begin = this.options.now();
    await setImmediate();
    return (this.options.now() - begin) / 1000;
  }

  private register({ name, type, help, labels, collect }: Family): Counter | Gauge {
    const labelNames = [...labels(this.sets)];
    const fill = (metric: Counter | Gauge): void => {
      metric.reset();
      // A metric without labels starts at 0, which would be a value.
      if (labelNames.length === 0) metric.remove();
      if (this.view) collect(this.view, (series, value) => metric.inc(series, value));
    };
    const config = { name, help, labelNames, registers: [this.registry] };
    if (type === 'gauge') {
      return new Gauge({
        ...config,
        collect() {
          fill(this);
        },
      });
    }
    return new Counter({
      ...config,
      collect() {
        fill(this);
      },
    });
  }
}
