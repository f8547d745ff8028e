import type { DestEntry } from '../core/config.ts';
import { directorWide, type Family } from './family.ts';

/** The metrics of the node exporter's ipvs collector: same names, types, texts and labels. */
export const EXPORTER_FAMILIES: readonly Family[] = [
  total('connections', 'The total number of connections made.', ({ conns }) => conns),
  total('incoming_packets', 'The total number of incoming packets.', ({ inPackets }) => inPackets),
  total('outgoing_packets', 'The total number of outgoing packets.', ({ outPackets }) => outPackets),
  total('incoming_bytes', 'The total amount of incoming data.', ({ inBytes }) => inBytes),
  total('outgoing_bytes', 'The total amount of outgoing data.', ({ outBytes }) => outBytes),
  backend('connections_active', 'The current active connections', ({ active }) => active),
  backend('connections_inactive', 'The current inactive connections', ({ inactive }) => inactive),
  backend('weight', 'The current backend weight', ({ weight }) => weight),
];

function total(what: string, help: string, value: (stats: DestEntry['stats']) => number): Family {
  return directorWide('counter', `node_ipvs_${what}_total`, help, ({ totals }) => value(totals.stats));
}

function backend(what: string, help: string, value: (entry: DestEntry) => number): Family {
  return {
    name: `node_ipvs_backend_${what}`,
    type: 'gauge',
    help: `${help} by local and remote address.`,
    labels: ({ backend: names }) => names,
    collect: ({ director }, add) => {
      for (const { backendLabels, entry } of director?.destinations ?? []) add(backendLabels, value(entry));
    },
  };
}
