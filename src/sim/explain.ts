import { PROTOCOL } from '../core/config.ts';
import { type Destination, overhead } from '../core/destination.ts';
import type { Director } from '../core/director.ts';
import { DIRECTION, type Flow, TCP_EVENT } from '../core/flow.ts';
import type { Service } from '../core/service.ts';
import { serverName } from './setup.ts';

/** Bytes of a segment without data. */
const SEGMENT = 40;

/** One server as a choice finds it. */
interface Candidate {
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
  readonly reason: 'template' | 'scheduler' | 'nobody may be chosen';
  /** The scheduler's state before the choice; '' if it has none but the servers'. */
  readonly state: string;
  /** In the order of the list: newest first. */
  readonly candidates: readonly Candidate[];
}

/** Opens a connection in a director that is there for nothing else, and says why it went where it went. */
export function explainNext(director: Director, service: Service, flow: Flow, now: number): Explanation {
  const { life } = director;
  const candidates = service.dests.map(candidateOf);
  const state = service.scheduler?.describe?.(service.dests, flow) ?? '';
  const choices = service.decisions.count;
  const id = director.open(flow, 1, SEGMENT, now);
  if (id >= 0 && flow.protocol === PROTOCOL.TCP) {
    director.segment(id, DIRECTION.OUTPUT, TCP_EVENT.SYN, 1, SEGMENT, now);
    director.segment(id, DIRECTION.INPUT, TCP_EVENT.ACK, 1, SEGMENT, now);
  }
  const dest = id < 0 ? undefined : life.destOf(id);
  const wasChosen = service.decisions.count > choices;
  return {
    client: serverName({ addr: flow.caddr, port: flow.cport }),
    scheduler: service.schedulerName,
    server: dest ? serverName(dest) : '',
    reason: !dest ? 'nobody may be chosen' : wasChosen ? 'scheduler' : 'template',
    state,
    candidates,
  };
}

function candidateOf(dest: Destination): Candidate {
  return {
    server: serverName(dest),
    weight: dest.weight,
    active: dest.active,
    inactive: dest.inactive,
    overhead: overhead(dest),
    excluded: dest.weight === 0 ? 'weight 0' : dest.overloaded ? 'at its upper threshold' : '',
  };
}
