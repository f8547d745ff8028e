import type { Worker } from 'node:worker_threads';
import type { Command, DirectorPort, Query, QueryResults, Status, Totals } from './core/commands.ts';
import { type Errno, IpvsError } from './core/errors.ts';
import { unpackDests } from './dest-columns.ts';

/** The part of a Status that the worker knows; the main thread adds its own. */
export type WorkerStatus = Omit<Status, 'pid' | 'version' | 'uptimeSec'>;

/** What the main thread asks of the worker. */
export type WorkerCall =
  /** `settled`: how many more of the oldest applied changes will never be undone. */
  | { readonly call: 'apply'; readonly command: Command; readonly settled: number }
  /** Destinations are answered as `packDests` makes them. */
  | { readonly call: 'ask'; readonly query: Query }
  | { readonly call: 'totals' }
  /** Takes the last `count` applied changes back. */
  | { readonly call: 'undo'; readonly count: number }
  /** Rules that were accepted before: they are never refused for want of an address or a port. */
  | { readonly call: 'restore'; readonly commands: readonly Command[] }
  | { readonly call: 'stop'; readonly drainMs: number };

export interface WorkerRequest {
  readonly id: number;
  readonly call: WorkerCall;
}

export type WorkerResponse =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly errno: Errno; readonly reason: string };

/** A line of the worker for people. */
export interface WorkerLog {
  readonly log: string;
}

/** The main thread's end: a director that lives in a worker thread. */
export class WorkerPort implements DirectorPort {
  private readonly port: Worker;
  private readonly waiting = new Map<number, (response: WorkerResponse) => void>();
  private nextId = 1;
  private settled = 0;

  constructor(port: Worker, log: (line: string) => void) {
    this.port = port;
    port.on('message', (response: WorkerResponse | WorkerLog) => {
      if ('log' in response) return log(response.log);
      this.waiting.get(response.id)?.(response);
      this.waiting.delete(response.id);
    });
  }

  async apply(command: Command): Promise<void> {
    const settled = this.settled;
    this.settled = 0;
    await this.request({ call: 'apply', command, settled });
  }

  ask<Q extends Query>(query: Q): Promise<QueryResults[Q['query']]>;
  async ask(query: Query): Promise<QueryResults[Query['query']]> {
    if (query.query === 'dests') return unpackDests(await this.request<Float64Array>({ call: 'ask', query }));
    return this.request<QueryResults[Query['query']]>({ call: 'ask', query });
  }

  /** Counters of the whole director, for metrics. */
  totals(): Promise<Totals> {
    return this.request<Totals>({ call: 'totals' });
  }

  async undo(count: number): Promise<void> {
    await this.request({ call: 'undo', count });
  }

  /** The oldest applied change will never be undone; the worker learns of it with the next change. */
  settle(): void {
    this.settled++;
  }

  /** @returns a line for each rule that the core did not take back. */
  restore(commands: readonly Command[]): Promise<readonly string[]> {
    return this.request<readonly string[]>({ call: 'restore', commands });
  }

  async stop(drainMs: number): Promise<void> {
    await this.request({ call: 'stop', drainMs });
  }

  private request<T>(call: WorkerCall): Promise<T> {
    const id = this.nextId++;
    return new Promise<T>((resolve, reject) => {
      this.waiting.set(id, (response) => {
        if ('errno' in response) reject(new IpvsError(response.errno, response.reason));
        else resolve(response.value as T);
      });
      this.port.postMessage({ id, call } satisfies WorkerRequest);
    });
  }
}
