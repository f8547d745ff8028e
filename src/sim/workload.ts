import type { DestKey } from '../core/config.ts';
import type { Arrivals } from './arrivals.ts';
import type { Population } from './clients.ts';
import type { Distribution } from './distributions.ts';
import type { ServerModel } from './servers.ts';

/** What happens to one server at a time. Times in ms. */
export type Churn = { readonly atMs: number; readonly server: DestKey } & ChurnDeed;

type ChurnDeed =
  | { readonly kind: 'add'; readonly weight: number }
  | { readonly kind: 'remove' }
  /** Weight 0: what is there ends, nothing new comes. */
  | { readonly kind: 'drain' }
  | { readonly kind: 'weight'; readonly weight: number }
  /**
   * The server dies: its connections are lost, new ones are reset until it is taken out of the table after
   * `detectMs`; after `downMs` it is up and added again. Infinity: never.
   */
  | { readonly kind: 'kill'; readonly detectMs: number; readonly downMs: number }
  /** Taken out and added again, `times` times. */
  | { readonly kind: 'flap'; readonly downMs: number; readonly upMs: number; readonly times: number }
  /** Added with weight 1, which grows to `weight` over `overMs` in equal steps. */
  | { readonly kind: 'slow-start'; readonly weight: number; readonly overMs: number };

/** What runs against the rules. Times in ms. */
export interface Workload {
  /** Arrivals end then; Infinity if `connections` says when. */
  readonly durationMs: number;
  /** Most arrivals; Infinity if `durationMs` says when. */
  readonly connections: number;
  /** What arrives before is simulated and not measured. */
  readonly warmupMs: number;
  /**
   * entries: every connection has its entry in the director's table, with states and timers; counters: schedulers see
   * connections as active until they end, and nothing of them after.
   */
  readonly model: 'entries' | 'counters';
  /** Size of each director's table of entries. */
  readonly tableSize: number;
  /** Directors with tables of their own, and what an arrival's director depends on. */
  readonly directors: { readonly count: number; readonly by: 'client' | 'connection' };
  readonly arrivals: Arrivals;
  readonly serviceTime: Distribution;
  /** Connections that are kept open and ask for no work. */
  readonly longLived: { readonly share: number; readonly duration: Distribution };
  readonly clients: Population;
  readonly servers: {
    readonly default: ServerModel;
    readonly each: readonly { readonly server: DestKey; readonly model: ServerModel }[];
  };
  readonly churn: readonly Churn[];
}

/** One place of speed 1 and an endless queue. */
export const DEFAULT_SERVER: ServerModel = {
  speed: 1,
  concurrency: 1,
  discipline: 'fcfs',
  backlog: Number.POSITIVE_INFINITY,
};

/** Everything that a workload need not say. */
export const WORKLOAD_DEFAULTS: Omit<Workload, 'arrivals' | 'serviceTime'> = {
  durationMs: Number.POSITIVE_INFINITY,
  connections: Number.POSITIVE_INFINITY,
  warmupMs: 0,
  model: 'entries',
  tableSize: 2 ** 20,
  directors: { count: 1, by: 'connection' },
  longLived: { share: 0, duration: { kind: 'deterministic', value: 0 } },
  clients: { count: 10_000, zipf: 0, nat: { share: 0, addresses: 1 } },
  servers: { default: DEFAULT_SERVER, each: [] },
  churn: [],
};
