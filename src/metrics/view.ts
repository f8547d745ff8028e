import type { Status, Totals } from '../core/commands.ts';
import type { DestEntry, ServiceEntry, ServiceKey } from '../core/config.ts';
import { destinationLabels, type LabelSets, type Labels, pick, serviceLabels } from './labels.ts';
import type { Snapshot } from './snapshot.ts';

/** A service with the labels of its series. */
export interface ServiceView {
  readonly labels: Labels;
  readonly entry: ServiceEntry;
  readonly destCount: number;
  readonly isServed: boolean;
}

/** A destination with the labels of its series. */
interface DestinationView {
  readonly labels: Labels;
  /** Its labels among the metrics of the node exporter. */
  readonly backendLabels: Labels;
  readonly entry: DestEntry;
}

/** What the director told, ready to be exported. */
export interface DirectorView {
  readonly totals: Totals;
  readonly status: Status;
  readonly services: readonly ServiceView[];
  readonly destinations: readonly DestinationView[];
  readonly workerLagSec: number;
}

/** Gives each service and destination its labels, once for all metrics. */
export function viewOf(snapshot: Snapshot, sets: LabelSets): DirectorView {
  const served = new Set(
    snapshot.status.services.filter(({ state }) => state === 'served').map(({ service }) => keyText(service)),
  );
  const services: ServiceView[] = [];
  const destinations: DestinationView[] = [];
  for (const { service, dests } of snapshot.services) {
    const all = serviceLabels(service);
    services.push({
      labels: pick(all, sets.service),
      entry: service,
      destCount: dests.length,
      isServed: served.has(keyText(service)),
    });
    for (const entry of dests) {
      const labels = destinationLabels(all, entry);
      destinations.push({
        labels: pick(labels, sets.destination),
        backendLabels: pick(labels, sets.backend),
        entry,
      });
    }
  }
  const { totals, status, workerLagSec } = snapshot;
  return { totals, status, services, destinations, workerLagSec };
}

const keyText = ({ family, protocol, addr, port, fwmark }: ServiceKey): string =>
  [family, fwmark, fwmark === 0 ? [protocol, port, ...addr.words] : []].flat().join(' ');
