/** Measures of one run. Times in ms, shares from 0 to 1; NaN where nothing was seen. */
export interface RunResult {
  readonly seed: number;
  readonly replication: number;
  readonly scheduler: string;
  /** Stopped before its end: what is here is what was finished. */
  readonly partial: boolean;
  /** Simulated time, and events worked off. */
  readonly simulatedMs: number;
  readonly events: number;
  readonly outcomes: Outcomes;
  readonly response: ResponseTimes;
  readonly imbalance: Imbalance;
  readonly servers: readonly ServerResult[];
  readonly churn: readonly ChurnResult[];
  readonly series: LoadSeries;
  readonly histogram: readonly { readonly below: number; readonly count: number }[];
}

/** What became of the connections that arrived after the warm-up. */
export interface Outcomes {
  readonly arrived: number;
  readonly completed: number;
  /** The service had no server that may be chosen (quiesced, at its threshold, or none). */
  readonly noServer: number;
  /** The director's table of entries was full. */
  readonly tableFull: number;
  /** Reset by the server: down, or its queue was full. */
  readonly byServer: number;
  /** Begun and not answered: the server died or was deleted, or the entry's timer had ended. */
  readonly broken: number;
}

/** From arrival to the end of the work. */
interface ResponseTimes {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** Open connections by server, divided by weight; averages over the samples. */
export interface Imbalance {
  /** Highest by average. */
  readonly maxOverMean: number;
  /** Coefficient of variation. */
  readonly cv: number;
  /** Jain's index: 1 all alike, 1/n one has everything. */
  readonly jain: number;
}

interface ServerResult {
  readonly server: string;
  /** At the end; -1 if it is not in the table. */
  readonly weight: number;
  readonly connections: number;
  /** Of all connections that were placed. */
  readonly share: number;
  readonly meanOpen: number;
  /** Work done by what it could have done. */
  readonly utilisation: number;
}

/** One event of the churn, until the next one. */
export interface ChurnResult {
  readonly atMs: number;
  readonly event: string;
  /** Clients that connected before and again after. */
  readonly returned: number;
  /** Of these, to another server although theirs was still to be had. */
  readonly moved: number;
  /** Of these, to another server because theirs was not. */
  readonly forced: number;
  /** Until the added server first had nine tenths of its share of open connections; NaN if it never had. */
  readonly absorbedMs: number;
}

/** Samples over time. */
export interface LoadSeries {
  readonly atMs: readonly number[];
  /** Open connections by server and weight unit. */
  readonly mean: readonly number[];
  readonly max: readonly number[];
  readonly min: readonly number[];
  /** Open connections of each server, in the order of `servers`; of the first replication and the first 24 servers. */
  readonly open: readonly (readonly number[])[];
}
