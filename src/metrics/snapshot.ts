import type { DirectorPort, Status, Totals } from '../core/commands.ts';
import type { DestEntry, ServiceEntry } from '../core/config.ts';

/** Services whose destinations are asked for at a time. */
const BATCH = 64;

/** What metrics need of a director. */
export interface MetricsSource extends Pick<DirectorPort, 'ask'> {
  totals(): Promise<Totals>;
}

/** A service and its destinations. */
export interface ServiceRow {
  readonly service: ServiceEntry;
  readonly dests: readonly DestEntry[];
}

/** What the director told for one scrape. */
export interface Snapshot {
  readonly totals: Totals;
  readonly status: Status;
  readonly services: readonly ServiceRow[];
  /** From question to answer, in seconds. */
  readonly workerLagSec: number;
}

/** Asks the director for all that is exported, in pieces that never hold it long. @param now milliseconds, monotonic */
export async function takeSnapshot(source: MetricsSource, now: () => number): Promise<Snapshot> {
  const askedAt = now();
  const totals = await source.totals();
  const workerLagSec = (now() - askedAt) / 1000;
  const [status, entries] = await Promise.all([
    source.ask({ query: 'status' }),
    source.ask({ query: 'services' }),
  ]);
  const services: ServiceRow[] = [];
  for (let from = 0; from < entries.length; from += BATCH) {
    const rows = entries.slice(from, from + BATCH).map((service) => rowOf(source, service));
    services.push(...(await Promise.all(rows)));
  }
  return { totals, status, services, workerLagSec };
}

async function rowOf(source: MetricsSource, service: ServiceEntry): Promise<ServiceRow> {
  return { service, dests: await source.ask({ query: 'dests', service }) };
}
