import { type Add, directorWide, type Family, fixed, type ScrapeView } from './family.ts';
import { type PlaneMetric, planeMetric } from './plane-counters.ts';

/** Serving states that are always shown. */
const STATES = ['served', 'no_servers', 'waiting_address', 'waiting_port', 'unservable'] as const;

const THREADS = ['main', 'worker'] as const;

/** Metrics of the director as a whole. */
export const DIRECTOR_FAMILIES: readonly Family[] = [
  {
    name: 'ipvs_scheduler_decisions_total',
    type: 'counter',
    help: 'Real servers chosen by the schedulers of this name.',
    labels: fixed('scheduler'),
    collect: ({ director }, add) => {
      for (const [scheduler, count] of Object.entries(director?.totals.decisions ?? {}))
        add({ scheduler }, count);
    },
  },
  {
    name: 'ipvs_director_worker_up',
    type: 'gauge',
    help: 'Whether the thread that carries the traffic answers: 1 or 0.',
    labels: fixed(),
    collect: ({ director }, add) => add({}, director ? 1 : 0),
  },
  directorWide(
    'gauge',
    'ipvs_director_uptime_seconds',
    'Time since the start.',
    ({ status }) => status.uptimeSec,
  ),
  directorWide(
    'gauge',
    'ipvs_director_connections',
    'Entries of the connection table, persistence templates included.',
    ({ status }) => status.connections,
  ),
  directorWide(
    'gauge',
    'ipvs_director_connections_max',
    'Entries that the connection table can hold.',
    ({ status }) => status.connectionsMax,
  ),
  directorWide(
    'gauge',
    'ipvs_director_destinations',
    'Real servers of all services.',
    ({ destinations }) => destinations.length,
  ),
  {
    name: 'ipvs_director_services',
    type: 'gauge',
    help: 'Virtual services by how they are served.',
    labels: fixed('state'),
    collect: collectStates,
  },
  {
    name: 'ipvs_director_info',
    type: 'gauge',
    help: 'What carries the traffic: the plane and the event loop.',
    labels: fixed('io', 'plane'),
    collect: ({ director }, add) => {
      if (director) add({ io: director.status.io, plane: director.status.plane }, 1);
    },
  },
  ofThread(
    'gauge',
    'lag_seconds',
    'Time that a piece of work waited for the thread at the scrape.',
    'lagSec',
  ),
  ofThread(
    'counter',
    'active_seconds_total',
    'Time in which the thread was not waiting for events.',
    'activeSec',
  ),
  {
    name: 'ipvs_director_drops_total',
    type: 'counter',
    help: 'Clients and packets turned away or lost.',
    labels: fixed('proto', 'reason'),
    collect: (view, add) => {
      for (const [reason, count] of Object.entries(view.director?.totals.drops ?? {}))
        add({ proto: '', reason }, count);
      collectPlane(view, 'drops', add);
    },
  },
  ofPlane('counter', 'events', 'Other events on the way of traffic.', ['event']),
  ofPlane('gauge', 'listeners', 'Sockets that accept clients.', ['proto']),
  ofPlane('gauge', 'flows', 'Clients that are connected to a server.', ['proto']),
  ofPlane('gauge', 'descriptors', 'Descriptors that traffic uses.', []),
  ofPlane('gauge', 'descriptors_max', 'Descriptors that traffic may use.', []),
];

/** @returns the serving state without what only people need: `waiting: port` is `waiting_port`. */
export function stateLabel(state: string): string {
  return state.startsWith('unservable') ? 'unservable' : state.replace(/\W+/g, '_');
}

function collectStates({ director }: ScrapeView, add: Add): void {
  if (!director) return;
  for (const state of STATES) add({ state }, 0);
  for (const { state } of director.status.services) add({ state: stateLabel(state) }, 1);
}

function ofThread(type: Family['type'], name: string, help: string, figure: 'lagSec' | 'activeSec'): Family {
  return {
    name: `ipvs_director_loop_${name}`,
    type,
    help,
    labels: fixed('thread'),
    collect: ({ loops }, add) => {
      for (const thread of THREADS) {
        const value = loops[thread][figure];
        if (value !== undefined) add({ thread }, value);
      }
    },
  };
}

function ofPlane(
  type: Family['type'],
  metric: PlaneMetric['metric'],
  help: string,
  labels: readonly string[],
): Family {
  return {
    name: `ipvs_director_${metric}${type === 'counter' ? '_total' : ''}`,
    type,
    help,
    labels: fixed(...labels),
    collect: (view, add) => collectPlane(view, metric, add),
  };
}

function collectPlane({ director }: ScrapeView, metric: PlaneMetric['metric'], add: Add): void {
  for (const [name, value] of Object.entries(director?.status.counters ?? {})) {
    const found = planeMetric(name);
    if (found.metric === metric) add(found.labels, value);
  }
}
