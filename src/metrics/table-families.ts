import type { DestEntry, StatsSnapshot } from '../core/config.ts';
import type { Family } from './family.ts';
import type { ServiceView } from './view.ts';

type Read = (stats: StatsSnapshot) => number;

/** Counters that services and destinations have alike: end of the name, what is counted, value. */
const COUNTERS: readonly (readonly [string, string, Read])[] = [
  ['connections', 'Connections scheduled', ({ conns }) => conns],
  ['incoming_packets', 'Packets from clients', ({ inPackets }) => inPackets],
  ['outgoing_packets', 'Packets to clients', ({ outPackets }) => outPackets],
  ['incoming_bytes', 'Bytes from clients', ({ inBytes }) => inBytes],
  ['outgoing_bytes', 'Bytes to clients', ({ outBytes }) => outBytes],
];

/** The estimator's averages. */
const RATES: readonly (readonly [string, string, Read])[] = [
  ['connections', 'Connections scheduled', ({ cps }) => cps],
  ['incoming_packets', 'Packets from clients', ({ inPps }) => inPps],
  ['outgoing_packets', 'Packets to clients', ({ outPps }) => outPps],
  ['incoming_bytes', 'Bytes from clients', ({ inBps }) => inBps],
  ['outgoing_bytes', 'Bytes to clients', ({ outBps }) => outBps],
];

/** Metrics of each virtual service. */
export const SERVICE_FAMILIES: readonly Family[] = [
  ...COUNTERS.map(([name, help, read]) =>
    service('counter', `${name}_total`, `${help} for the service.`, ({ entry }) => read(entry.stats)),
  ),
  ...RATES.map(([name, help, read]) =>
    service('gauge', `${name}_per_second`, `${help} for the service, a moving average.`, ({ entry }) =>
      read(entry.stats),
    ),
  ),
  service('gauge', 'destinations', 'Real servers of the service.', ({ destCount }) => destCount),
  service('gauge', 'served', 'Whether clients are accepted for the service: 1 or 0.', ({ isServed }) =>
    isServed ? 1 : 0,
  ),
];

/** Metrics of each destination: a real server as configured for one service. */
export const DESTINATION_FAMILIES: readonly Family[] = [
  destination('gauge', 'weight', 'Weight of the real server.', ({ weight }) => weight),
  destination('gauge', 'connections_active', 'Established connections.', ({ active }) => active),
  destination('gauge', 'connections_inactive', 'Connections in other states.', ({ inactive }) => inactive),
  destination('gauge', 'connections_persistent', 'Persistence templates.', ({ persistent }) => persistent),
  destination(
    'gauge',
    'upper_threshold',
    'Connections at which the real server counts as overloaded; 0: no limit.',
    ({ upperThreshold }) => upperThreshold,
  ),
  destination(
    'gauge',
    'lower_threshold',
    'Connections below which it no longer counts as overloaded; 0: three quarters of the upper threshold.',
    ({ lowerThreshold }) => lowerThreshold,
  ),
  destination('gauge', 'overloaded', 'Whether the real server is overloaded: 1 or 0.', ({ overloaded }) =>
    overloaded === undefined ? undefined : Number(overloaded),
  ),
  ...COUNTERS.map(([name, help, read]) =>
    destination('counter', `${name}_total`, `${help} for the real server.`, ({ stats }) => read(stats)),
  ),
];

function service(
  type: Family['type'],
  name: string,
  help: string,
  value: (service: ServiceView) => number,
): Family {
  return {
    name: `ipvs_service_${name}`,
    type,
    help,
    labels: (sets) => sets.service,
    collect: ({ director }, add) => {
      for (const each of director?.services ?? []) add(each.labels, value(each));
    },
  };
}

function destination(
  type: Family['type'],
  name: string,
  help: string,
  value: (entry: DestEntry) => number | undefined,
): Family {
  return {
    name: `ipvs_destination_${name}`,
    type,
    help,
    labels: (sets) => sets.destination,
    collect: ({ director }, add) => {
      for (const { labels, entry } of director?.destinations ?? []) {
        const found = value(entry);
        if (found !== undefined) add(labels, found);
      }
    },
  };
}
