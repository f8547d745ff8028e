import type { DestKey } from './config.ts';
import type { Flow } from './flow.ts';

/** Which server would get connections, if they came in this order. */
export interface ExplainRequest {
  readonly flow: Flow;
  /** So many connections in turn, from ports that count up from the flow's. */
  readonly times: number;
  /** As if these servers were not there. */
  readonly without: readonly DestKey[];
}

/** One server as a choice finds it. */
export interface Candidate {
  readonly server: string;
  readonly weight: number;
  readonly active: number;
  readonly inactive: number;
  /** Load as lc and wlc see it: 256 for each active connection, 1 for each inactive one. */
  readonly overhead: number;
  /** Why it may not be chosen; '' if it may. */
  readonly excluded: '' | 'weight 0' | 'at its upper threshold';
}

/** Why a connection goes where it goes. */
export interface Explanation {
  readonly client: string;
  readonly scheduler: string;
  /** '' if the connection gets none. */
  readonly server: string;
  readonly reason:
    | 'scheduler'
    | 'template'
    /** There is an entry with these addresses and ports already. */
    | 'connection'
    /** There is one, of a server that was deleted. */
    | 'server deleted'
    | 'nobody may be chosen'
    /** The service does not take it: FTP data, or a port that is not the service's. */
    | 'not scheduled';
  /** Of a persistent service, how long its templates last, s; 0 for others. */
  readonly persistentSec: number;
  /** The scheduler's state before the choice; '' if it has none but the servers'. */
  readonly state: string;
  /** In the order of the list: newest first. */
  readonly candidates: readonly Candidate[];
}
