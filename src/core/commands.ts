import type {
  DaemonConfig,
  DestConfig,
  DestEntry,
  DestKey,
  ServiceConfig,
  ServiceEntry,
  ServiceKey,
  StatsSnapshot,
  Timeouts,
} from './config.ts';
import type { ExplainRequest, Explanation } from './explanation.ts';

/**
 * A change of the director's configuration. `dest: undefined` says that the request's server part was malformed or
 * incomplete: the kernel finds that out (EINVAL) only after it has looked the service up (ESRCH).
 */
export type Command =
  | { readonly op: 'add-service'; readonly service: ServiceConfig; readonly flagsMask: number }
  | { readonly op: 'edit-service'; readonly service: ServiceConfig; readonly flagsMask: number }
  | { readonly op: 'delete-service'; readonly service: ServiceKey }
  | { readonly op: 'add-dest'; readonly service: ServiceKey; readonly dest: DestConfig | undefined }
  | { readonly op: 'edit-dest'; readonly service: ServiceKey; readonly dest: DestConfig | undefined }
  | { readonly op: 'delete-dest'; readonly service: ServiceKey; readonly dest: DestKey | undefined }
  | { readonly op: 'flush' }
  /** Without a service: every counter. */
  | { readonly op: 'zero'; readonly service: ServiceKey | undefined }
  | { readonly op: 'set-timeouts'; readonly timeouts: Timeouts }
  | { readonly op: 'start-daemon'; readonly daemon: DaemonConfig }
  | { readonly op: 'stop-daemon'; readonly state: number }
  /** `name` without the prefix `net.ipv4.vs.`; `value` as text, as one writes it into the file. */
  | { readonly op: 'set-sysctl'; readonly name: string; readonly value: string };

export interface Sysctl {
  /** Without the prefix `net.ipv4.vs.`. */
  readonly name: string;
  readonly value: string;
}

/** A piece of a text that is made in slices, so that the worker is never held long. */
export interface TextSlice {
  readonly text: string;
  /** Where to go on, or -1 at the end. */
  readonly next: number;
}

export const PROC_NAMES = [
  'ip_vs',
  'ip_vs_conn',
  'ip_vs_conn_sync',
  'ip_vs_stats',
  'ip_vs_stats_percpu',
  'ip_vs_app',
] as const;

export type ProcName = (typeof PROC_NAMES)[number];

/** How a service is served: `served`, `no servers`, `waiting: address`, `waiting: port` or `unservable: reason`. */
export interface ServingState {
  readonly service: ServiceKey;
  readonly plane: 'proxy' | 'packet' | 'none';
  readonly state: string;
}

export interface Status {
  readonly pid: number;
  readonly version: string;
  /** As given: auto, proxy, packet, none. */
  readonly plane: string;
  /** How packets are moved, and why so; `node` while there are only sockets. */
  readonly io: string;
  /** Which way packets are captured, and why so; '' while none are. */
  readonly capture: string;
  /** What was changed in the host's network, one thing a line. */
  readonly footprint: readonly string[];
  /** What on this host stands against serving by packets, one line each. */
  readonly problems: readonly string[];
  readonly uptimeSec: number;
  readonly services: readonly ServingState[];
  readonly connections: number;
  readonly connectionsMax: number;
  /** Named counters: drops by reason, closed UDP sockets, refused accepts ... */
  readonly counters: Readonly<Record<string, number>>;
}

/** Counters of the whole director. */
export interface Totals {
  readonly stats: StatsSnapshot;
  /** How often a scheduler of each name has chosen a server. */
  readonly decisions: Readonly<Record<string, number>>;
  /** Packets dropped, by reason. */
  readonly drops: Readonly<Record<string, number>>;
}

/** A question to the director, by name; see QueryResults for the answers. */
export type Query =
  | { readonly query: 'info' }
  | { readonly query: 'services' }
  /** ESRCH if there is none. */
  | { readonly query: 'service'; readonly service: ServiceKey }
  /** Newest first; empty if there is no such service. */
  | { readonly query: 'dests'; readonly service: ServiceKey }
  | { readonly query: 'timeouts' }
  | { readonly query: 'daemons' }
  /** Without a name: all, sorted by name. ENOENT for an unknown name. */
  | { readonly query: 'sysctl'; readonly name: string | undefined }
  | { readonly query: 'proc'; readonly name: ProcName; readonly from: number }
  /** Changes nothing. ESRCH if there is no such service, ENOENT for a server that it has not, EINVAL for too much. */
  | { readonly query: 'explain'; readonly request: ExplainRequest }
  | { readonly query: 'status' };

export interface QueryResults {
  readonly info: { readonly version: number; readonly tableSize: number };
  /** Address services first, then fwmark services. */
  readonly services: readonly ServiceEntry[];
  readonly service: ServiceEntry;
  readonly dests: readonly DestEntry[];
  readonly timeouts: Timeouts;
  readonly daemons: readonly DaemonConfig[];
  readonly sysctl: readonly Sysctl[];
  readonly proc: TextSlice;
  /** In the order of the connections. */
  readonly explain: readonly Explanation[];
  readonly status: Status;
}

/** What control and the netlink families need of a director, wherever it runs. Refusals reject with IpvsError. */
export interface DirectorPort {
  /** Resolves once the change is applied and recorded. */
  apply(command: Command): Promise<void>;
  ask<Q extends Query>(query: Q): Promise<QueryResults[Q['query']]>;
}
