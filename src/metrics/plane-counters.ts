import type { Labels } from './labels.ts';

/** A counter of a plane as a metric: the end of its name, its labels. */
export interface PlaneMetric {
  readonly metric: 'drops' | 'events' | 'listeners' | 'flows' | 'descriptors' | 'descriptors_max';
  readonly labels: Labels;
}

/** What is no counter but a present figure. */
const FIGURES: Readonly<Record<string, PlaneMetric>> = {
  tcp_listeners: { metric: 'listeners', labels: { proto: 'TCP' } },
  udp_listeners: { metric: 'listeners', labels: { proto: 'UDP' } },
  tcp_flows_open: { metric: 'flows', labels: { proto: 'TCP' } },
  udp_sockets_open: { metric: 'flows', labels: { proto: 'UDP' } },
  descriptors_used: { metric: 'descriptors', labels: {} },
  descriptors_limit: { metric: 'descriptors_max', labels: {} },
};

/** Names of what was turned away or lost: `tcp_refused_no_dest`, `udp_dropped`, `tcp_server_unreachable` ... */
const DROP = /^(?:(tcp|udp|sctp|icmp|icmpv6)_)?(.*(?:refused|dropped|drop|unreachable|malformed).*)$/;

/** @returns how a counter of Status is exported. A name that is not known counts events. */
export function planeMetric(name: string): PlaneMetric {
  const figure = FIGURES[name];
  if (figure) return figure;
  const [, proto, reason] = DROP.exec(name) ?? [];
  if (reason === undefined) return { metric: 'events', labels: { event: name } };
  return {
    metric: 'drops',
    labels: { proto: proto?.toUpperCase() ?? '', reason: reason.replace(/^refused_(?=.)/, '') },
  };
}
