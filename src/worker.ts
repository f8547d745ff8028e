import { randomInt } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { formatAddress } from './core/address.ts';
import type { Command, Query, ServingState } from './core/commands.ts';
import type { ServiceKey } from './core/config.ts';
import { Director } from './core/director.ts';
import { ERRNO, type Errno, IpvsError } from './core/errors.ts';
import { describeService } from './core/service.ts';
import { CoreClock, monotonicNow } from './net/clock.ts';
import type { Plane } from './net/plane.ts';
import { ProxyPlane } from './net/proxy-plane.ts';
import { SystemHost } from './net/system-host.ts';
import { TablesOnlyPlane } from './net/tables-only-plane.ts';
import { SCHEDULERS } from './schedulers/registry.ts';
import type { WorkerCall, WorkerLog, WorkerRequest, WorkerResponse, WorkerStatus } from './worker-port.ts';

const port = parentPort!;

/** What the main thread starts the worker with. */
export interface WorkerOptions {
  readonly plane: 'auto' | 'proxy' | 'none';
  readonly connMax: number;
}

/** The worker thread: the director core, its clock and its data plane on one loop. */
class DirectorHost {
  private readonly options: WorkerOptions;
  private readonly director: Director;
  private readonly plane: Plane;
  private readonly clock: CoreClock;
  /** For each applied change that is not settled, the commands that take it back; the oldest first. */
  private readonly inverses: (readonly Command[])[] = [];

  constructor(options: WorkerOptions) {
    this.options = options;
    this.director = new Director({
      schedulers: SCHEDULERS,
      random: () => randomInt(2 ** 47) / 2 ** 47,
      host: new SystemHost(),
      connMax: options.connMax,
      now: monotonicNow(),
      onExpired: (id) => this.plane.expired(id),
    });
    this.plane = options.plane === 'none' ? new TablesOnlyPlane(this.director) : this.proxyPlane();
    this.clock = new CoreClock(this.director);
    this.clock.start();
  }

  async handle(call: WorkerCall): Promise<unknown> {
    switch (call.call) {
      case 'apply':
        this.inverses.splice(0, call.settled);
        return this.apply(call.command);
      case 'ask':
        return this.ask(call.query);
      case 'totals':
        return this.director.totals();
      case 'undo':
        return this.undo(call.count);
      case 'restore':
        return this.restore(call.commands);
      case 'stop':
        await this.plane.stop(call.drainMs);
        this.clock.stop();
        return undefined;
    }
  }

  private proxyPlane(): ProxyPlane {
    return new ProxyPlane({
      director: this.director,
      services: {
        all: () => this.director.services(),
        find: (key) => this.director.config.services.find(key),
      },
      now: monotonicNow,
      log: (line) => port.postMessage({ log: line } satisfies WorkerLog),
      expireNodest: () => this.director.settings.isOn('expire_nodest_conn'),
    });
  }

  private async apply(command: Command): Promise<void> {
    await this.plane.prepare(command);
    const inverse = this.director.inverse(command);
    try {
      this.director.apply(command, monotonicNow());
      this.inverses.push(inverse);
    } finally {
      await this.plane.reconcile(command);
    }
  }

  private async undo(count: number): Promise<void> {
    const inverses = this.inverses.splice(this.inverses.length - count).reverse();
    for (const command of inverses.flat()) this.director.apply(command, monotonicNow());
    await this.plane.reconcile(undefined);
  }

  private async restore(commands: readonly Command[]): Promise<string[]> {
    const refused: string[] = [];
    for (const command of commands) {
      try {
        this.director.apply(command, monotonicNow());
      } catch (error) {
        if (!(error instanceof IpvsError)) throw error;
        refused.push(`${command.op}${subject(command)}: ${error.message}`);
      }
    }
    await this.plane.reconcile(undefined);
    return refused;
  }

  private ask(query: Query): unknown {
    return query.query === 'status' ? this.status() : this.director.ask(query, monotonicNow());
  }

  private status(): WorkerStatus {
    // Planes name services by the core's own objects, which cannot cross to the main thread.
    const services = this.plane
      .states()
      .map((each): ServingState => ({ ...each, service: keyOf(each.service) }));
    return {
      plane: this.options.plane,
      io: 'node',
      services,
      connections: this.director.connectionCount,
      connectionsMax: this.options.connMax,
      counters: this.plane.counters(),
    };
  }
}

function keyOf({ family, protocol, addr, port: vport, fwmark }: ServiceKey): ServiceKey {
  return { family, protocol, addr, port: vport, fwmark };
}

function subject(command: Command): string {
  return 'service' in command && command.service ? ` ${describeService(command.service, formatAddress)}` : '';
}

/** @returns the refusal that `error` stands for; a system call's error keeps its errno. */
function refusal(error: unknown): { errno: Errno; reason: string } {
  if (error instanceof IpvsError) return { errno: error.errno, reason: error.message };
  const { code, message } = error as NodeJS.ErrnoException;
  if (code !== undefined && code in ERRNO) return { errno: code as Errno, reason: message };
  throw error;
}

const host = new DirectorHost(workerData as WorkerOptions);

/** Calls are answered one after the other: a listing shows the changes that were sent before it. */
let last: Promise<unknown> = Promise.resolve();

async function answer({ id, call }: WorkerRequest): Promise<WorkerResponse> {
  try {
    const turn = last.then(() => host.handle(call));
    // While connections drain, questions are still answered.
    if (call.call !== 'stop') last = turn.catch(() => {});
    return { id, value: await turn };
  } catch (error) {
    return { id, ...refusal(error) };
  }
}

port.on('message', (request: WorkerRequest) => {
  // An error that is no refusal is a defect: it ends the thread, and the main thread reports it.
  answer(request).then(
    (response) => port.postMessage(response),
    (error: unknown) =>
      setImmediate(() => {
        throw error;
      }),
  );
});
