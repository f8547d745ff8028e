import { readFileSync } from 'node:fs';
import type { DirectorPort, Query } from '../../src/core/commands.ts';
import type { Director } from '../../src/core/director.ts';
import { IpvsError } from '../../src/core/errors.ts';
import type { SchedulerSpec } from '../../src/core/scheduler.ts';
import type { Exchange } from '../../src/netlink/client.ts';
import { NetlinkSession, type SessionOptions } from '../../src/netlink/server.ts';
import { makeDirector } from '../support/core.ts';

/** A request and the reply datagrams of a kernel, as hexadecimal digits. */
export interface RecordedRequest {
  readonly name: string;
  readonly request: string;
  readonly replies: readonly string[];
}

/** In the order in which they must be asked; the first line of the file is not one of them. */
export const recordedRequests: readonly RecordedRequest[] = readFileSync(
  new URL('../golden/netlink/requests.jsonl', import.meta.url),
  'utf8',
)
  .trim()
  .split('\n')
  .slice(1)
  .map((line) => JSON.parse(line) as RecordedRequest);

/** The names that the kernel of the recordings knew; none of them is asked for a server here. */
const RECORDED_SCHEDULERS: readonly SchedulerSpec[] = 'rr wrr lc wlc sh dh mh sed nq fo ovf lblc lblcr'
  .split(' ')
  .map((name) => ({ name, create: () => ({ schedule: () => 0 }) }));

/** A director core behind the port, on a clock that stands still. */
function portOf(director: Director): DirectorPort {
  return {
    apply: async (command) => director.apply(command, 0),
    ask: async (query) => {
      const asked: Query = query;
      if (asked.query === 'status') throw new IpvsError('EOPNOTSUPP', 'the core has no status');
      return director.ask(query as Exclude<typeof query, { query: 'status' }>, 0);
    },
  };
}

/** A director core with the name of every recorded scheduler and no rules. */
export const recordedDirector = (): DirectorPort => portOf(makeDirector({ schedulers: RECORDED_SCHEDULERS }));

/** A session over a director core without rules. */
export const sessionOver = (options: SessionOptions = {}): NetlinkSession =>
  new NetlinkSession(recordedDirector(), options);

/** All reply datagrams. */
export async function answers(session: NetlinkSession, datagram: Uint8Array): Promise<Uint8Array[]> {
  const replies: Uint8Array[] = [];
  for (const answer of session.answer(datagram)) replies.push(...(await answer));
  return replies;
}

/** Hands the reply datagrams of a session to a client. */
export const exchangeWith =
  (session: NetlinkSession): Exchange =>
  async (datagram, take) => {
    for (const reply of await answers(session, datagram)) take(reply);
  };

export const bytes = (digits: string): Uint8Array => Uint8Array.from(Buffer.from(digits, 'hex'));
export const hex = (datagram: Uint8Array): string => Buffer.from(datagram).toString('hex');
