import { randomInt } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { formatAddress } from './core/address.ts';
import type { Command, Query, ServingState } from './core/commands.ts';
import type { ServiceKey } from './core/config.ts';
import { Director } from './core/director.ts';
import { ERRNO, type Errno, IpvsError } from './core/errors.ts';
import { describeService } from './core/service.ts';
import { packDests } from './dest-columns.ts';
import { AutoPlane } from './net/auto-plane.ts';
import { CoreClock, monotonicNow } from './net/clock.ts';
import type { CaptureChoice } from './net/packet/host-state/shortcut.ts';
import type { IoChoice } from './net/packet/io-tier.ts';
import { PacketPlane } from './net/packet/packet-plane.ts';
import { probePrivileges } from './net/packet/privileges.ts';
import { startPackets } from './net/packet/start-packets.ts';
import type { TraceOptions } from './net/packet/trace/option.ts';
import type { Plane } from './net/plane.ts';
import { ProxyPlane } from './net/proxy-plane.ts';
import type { ServicesView } from './net/service-view.ts';
import { SystemHost } from './net/system-host.ts';
import { TablesOnlyPlane } from './net/tables-only-plane.ts';
import { SCHEDULERS } from './schedulers/registry.ts';
import { SyncService } from './sync/sync-service.ts';
import type { WorkerCall, WorkerLog, WorkerRequest, WorkerResponse, WorkerStatus } from './worker-port.ts';

const port = parentPort!;

const log = (line: string): void => port.postMessage({ log: line } satisfies WorkerLog);
const random = (): number => randomInt(2 ** 47) / 2 ** 47;

/** What the main thread starts the worker with. */
export interface WorkerOptions {
  readonly plane: 'auto' | 'proxy' | 'packet' | 'none';
  /** How packets are read and written. */
  readonly io: IoChoice;
  /** Which way the host hands packets over. */
  readonly capture: CaptureChoice;
  /** File and filter of a packet trace, or `undefined`. */
  readonly pcap: TraceOptions | undefined;
  readonly connMax: number;
}

/** What a call has brought. */
interface Handled {
  readonly value: unknown;
  /** When the planes serve what was changed; in an object, since a promise would be waited for with the call. */
  readonly served?: { readonly done: Promise<void> };
}

/** The worker thread: the director core, its clock and its data plane on one loop. */
class DirectorHost {
  private readonly options: WorkerOptions;
  private readonly director: Director;
  private readonly plane: Plane;
  /** The part of `plane` that serves by packets, if there is one. */
  private packets: PacketPlane | undefined;
  private readonly sync: SyncService;
  private readonly clock: CoreClock;
  /** For each applied change that is not settled, the commands that take it back; the oldest first. */
  private readonly inverses: (readonly Command[])[] = [];

  constructor(options: WorkerOptions) {
    this.options = options;
    this.director = new Director({
      schedulers: SCHEDULERS,
      random,
      host: new SystemHost(),
      connMax: options.connMax,
      now: monotonicNow(),
      onExpired: (id) => this.plane.expired(id),
    });
    this.plane = this.choosePlane();
    this.sync = new SyncService({ director: this.director, now: monotonicNow, log });
    this.clock = new CoreClock(this.director);
    this.clock.start();
  }

  async handle(call: WorkerCall): Promise<Handled> {
    switch (call.call) {
      case 'apply':
        this.inverses.splice(0, call.settled);
        return { value: undefined, served: await this.apply(call.command) };
      case 'ask':
        return { value: await this.ask(call.query) };
      case 'totals':
        return { value: this.director.totals() };
      case 'undo':
        await this.undo(call.count);
        return { value: undefined };
      case 'restore':
        return { value: await this.restore(call.commands) };
      case 'stop':
        await this.plane.stop(call.drainMs);
        this.sync.stop();
        this.clock.stop();
        return { value: undefined };
    }
  }

  private choosePlane(): Plane {
    const services: ServicesView = {
      all: () => this.director.services(),
      find: (key) => this.director.config.services.find(key),
    };
    switch (this.options.plane) {
      case 'none':
        return new TablesOnlyPlane(this.director);
      case 'proxy':
        return this.proxyPlane(services);
      case 'packet':
        return this.packetPlane(services);
      case 'auto':
        return new AutoPlane({
          services,
          proxy: (view) => this.proxyPlane(view),
          packet: (view) => {
            const { missing } = probePrivileges();
            return missing.length === 0 ? this.packetPlane(view) : { missing: missing.join('; ') };
          },
          setProxied: (service, isProxied) => this.director.setProxied(service, isProxied),
        });
    }
  }

  private proxyPlane(services: ServicesView): ProxyPlane {
    return new ProxyPlane({
      director: this.director,
      services,
      now: monotonicNow,
      log,
      expireNodest: () => this.director.settings.isOn('expire_nodest_conn'),
    });
  }

  private packetPlane(services: ServicesView): PacketPlane {
    const { director } = this;
    const { io, capture, pcap } = this.options;
    const start = () => startPackets({ director, io, capture, pcap, log, now: monotonicNow, random });
    this.packets = new PacketPlane({ director, services, start, log });
    return this.packets;
  }

  private async apply(command: Command): Promise<{ readonly done: Promise<void> }> {
    await this.plane.prepare(command);
    const inverse = this.director.inverse(command);
    try {
      this.director.apply(command, monotonicNow());
      this.sync.follow(command);
    } catch (error) {
      await this.plane.reconcile(command);
      throw error;
    }
    this.inverses.push(inverse);
    this.clock.hurry();
    return { done: this.plane.reconcile(command) };
  }

  private async undo(count: number): Promise<void> {
    const inverses = this.inverses.splice(this.inverses.length - count).reverse();
    for (const command of inverses.flat()) this.director.apply(command, monotonicNow());
    this.sync.reconcile();
    await this.plane.reconcile(undefined);
  }

  private async restore(commands: readonly Command[]): Promise<string[]> {
    // Who asks for packets alone is told at the start if they cannot be had.
    if (this.options.plane === 'packet') await this.packets?.open();
    const refused: string[] = [];
    for (const command of commands) {
      try {
        this.director.restore(command, monotonicNow());
      } catch (error) {
        if (!(error instanceof IpvsError)) throw error;
        refused.push(`${command.op}${subject(command)}: ${error.message}`);
      }
    }
    this.sync.reconcile();
    await this.plane.reconcile(undefined);
    return refused;
  }

  private ask(query: Query): unknown {
    if (query.query === 'status') return this.status();
    if (query.query === 'dests') return packDests(this.director.ask(query, monotonicNow()));
    return this.director.ask(query, monotonicNow());
  }

  private async status(): Promise<WorkerStatus> {
    // Planes name services by the core's own objects, which cannot cross to the main thread.
    const services = this.plane
      .states()
      .map((each): ServingState => ({ ...each, service: keyOf(each.service) }));
    return {
      plane: this.options.plane,
      io: this.packets?.tier ?? 'node',
      capture: this.packets?.captureWay ?? '',
      footprint: this.packets?.footprint() ?? [],
      problems: [...((await this.packets?.problems()) ?? []), ...this.sync.problems()],
      services,
      connections: this.director.connectionCount,
      connectionsMax: this.options.connMax,
      counters: { ...this.plane.counters(), ...this.sync.counters() },
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

/** Calls are handled one after the other: a listing shows the changes that were sent before it. */
let handled: Promise<unknown> = Promise.resolve();
/** They are answered in the same order, but the next one is begun before the planes have settled the last. */
let answered: Promise<unknown> = Promise.resolve();

function answer(request: WorkerRequest): Promise<WorkerResponse> {
  const turn = handled.then(() => host.handle(request.call));
  const previous = answered;
  const response = respond(request.id, turn).then(async (found) => {
    await previous;
    return found;
  });
  // While connections drain, questions are still answered.
  if (request.call.call !== 'stop') {
    handled = turn.catch(() => {});
    answered = response.catch(() => {});
  }
  return response;
}

async function respond(id: number, turn: Promise<Handled>): Promise<WorkerResponse> {
  try {
    const { value, served } = await turn;
    await served?.done;
    return { id, value };
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
