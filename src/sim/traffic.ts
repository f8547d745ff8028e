import type { SchedulerSpec } from '../core/scheduler.ts';
import type { ChurnStep } from './churn-plan.ts';
import { Clients, type Population } from './clients.ts';
import { Disruption } from './disruption.ts';
import { CounterFront, EntryFront, type Front, REFUSED } from './front.ts';
import { Histogram } from './histogram.ts';
import { Jobs, NONE } from './jobs.ts';
import { LoadSamples } from './load-samples.ts';
import { type Random, STREAM } from './random.ts';
import type { Outcomes, RunResult } from './results.ts';
import { capacityOf, QueueServer, type Server, type ServerModel, SharingServer } from './servers.ts';
import { type Scene, sameServer, serverName } from './setup.ts';
import type { Workload } from './workload.ts';

/** Kinds of planned events. */
export const EVENT = { DONE: 0, SHARED: 1, IDLE: 2, THOUGHT: 3, CHURN: 4, SAMPLE: 5, EXPIRE: 6 } as const;

/** How often a connection without work is heard of, ms: more often than any timeout of an established entry. */
const KEEP_ALIVE_MS = 30_000;

/** What traffic needs of the clock. */
export interface Agenda {
  plan(at: number, kind: number, which: number): void;
  /** A client of a closed loop has its answer, or was refused. */
  clientDone(client: number, now: number): void;
}

/** Connections on their way from clients through directors to servers, and what became of them. */
export class Traffic {
  readonly clients: Clients;
  readonly fronts: readonly Front[];
  /** Connections under way that have work. */
  working = 0;
  private readonly scene: Scene;
  private readonly workload: Workload;
  private readonly agenda: Agenda;
  private readonly jobs = new Jobs();
  private readonly servers: readonly Server[];
  /** By server, as the tables have them; -1 for none. */
  private readonly weights: Float64Array;
  private readonly routes: Random;
  private readonly samples: LoadSamples;
  private readonly disruption: Disruption;
  private readonly responses = new Histogram();
  private readonly tally = { arrived: 0, noServer: 0, tableFull: 0, byServer: 0, broken: 0 };

  /**
   * @param stream makes the generator of a stream
   * @param isDetailed whether the load of each server is told over time
   */
  constructor(
    scene: Scene,
    workload: Workload,
    schedulers: readonly SchedulerSpec[],
    stream: (id: number) => Random,
    agenda: Agenda,
    isDetailed: boolean,
  ) {
    this.scene = scene;
    this.workload = workload;
    this.agenda = agenda;
    this.routes = stream(STREAM.ROUTES);
    this.servers = scene.servers.map((_, i) => this.makeServer(i));
    this.weights = Float64Array.from(scene.servers, ({ weight }, i) => (i < scene.atStart ? weight : -1));
    this.clients = new Clients(
      population(workload),
      scene.service.family,
      stream(STREAM.CLIENTS),
      workload.arrivals.kind === 'trace' ? workload.arrivals.addresses : [],
    );
    this.fronts = Array.from({ length: workload.directors.count }, (_, i) => {
      const random = stream(STREAM.DIRECTORS + i);
      return workload.model === 'counters'
        ? new CounterFront(scene, schedulers, random, this.clients, this.jobs)
        : new EntryFront(scene, schedulers, random, this.clients, this.jobs, workload.tableSize);
    });
    this.samples = new LoadSamples(this.servers, this.weights, isDetailed);
    this.disruption = new Disruption(this.clients.count, this.servers, this.weights);
  }

  /**
   * A client connects.
   * @param workMs at speed 1; -1 for a connection that is only kept open, for `openMs`
   */
  arrive(client: number, workMs: number, openMs: number, now: number): void {
    const { jobs } = this;
    const job = jobs.allocate();
    const director = this.directorOf(client);
    const front = this.fronts[director]!;
    jobs.client[job] = client;
    jobs.director[job] = director;
    jobs.arrivedAt[job] = now;
    jobs.planned[job] = 0;
    jobs.idle[job] = workMs < 0 ? 1 : 0;
    jobs.work[job] = workMs < 0 ? openMs : workMs;
    const isMeasured = now >= this.workload.warmupMs;
    if (isMeasured) this.tally.arrived++;
    const at = front.place(job, client, now);
    if (at < 0) {
      if (isMeasured && at === REFUSED.TABLE_FULL) this.tally.tableFull++;
      else if (isMeasured) this.tally.noServer++;
      this.forget(job, now);
      return;
    }
    const server = this.servers[at]!;
    jobs.server[job] = at;
    server.open++;
    if (isMeasured) server.taken++;
    this.disruption.placed(client, at, now);
    if (this.isTaken(job, server, now)) {
      front.accepted(job, now);
      return;
    }
    server.open--;
    if (isMeasured) this.tally.byServer++;
    front.reset(job, now);
    this.forget(job, now);
  }

  /** A job of a first-come-first-served server is done. */
  queueDone(job: number, now: number): void {
    const at = this.jobs.server[job]!;
    if (at === NONE) {
      this.jobs.release(job);
      return;
    }
    const server = this.servers[at]!;
    if (server instanceof QueueServer) server.finish(now);
    this.complete(job, server, now);
  }

  /** A job of a sharing server may be done. */
  sharedDone(at: number, now: number): void {
    const server = this.servers[at]!;
    const job = server instanceof SharingServer ? server.finished(now) : NONE;
    if (job !== NONE) this.complete(job, server, now);
  }

  /** A connection without work is heard of, and perhaps ends. */
  idleDue(job: number, now: number): void {
    const { jobs } = this;
    const at = jobs.server[job]!;
    if (at === NONE) {
      jobs.release(job);
      return;
    }
    const front = this.fronts[jobs.director[job]!]!;
    if (jobs.work[job]! > 0) {
      front.keepAlive(job, now);
      this.planIdle(job, now);
      return;
    }
    this.servers[at]!.open--;
    if (!front.finish(job, now) && this.isMeasured(job)) this.tally.broken++;
    this.forget(job, now);
  }

  /** Carries a step of the churn out. */
  change(step: ChurnStep, now: number): void {
    const { server: at, weight, up, label } = step;
    const server = this.servers[at]!;
    const isNew = weight !== undefined && weight > 0 && this.weights[at]! < 0;
    if (weight !== undefined) {
      this.weights[at] = weight;
      for (const front of this.fronts) front.setWeight(at, weight, now);
    }
    if (up === false && server.up) this.kill(at, now);
    else if (up === true) server.up = true;
    if (label !== '') this.disruption.begin(now, label, isNew ? at : NONE);
  }

  sample(now: number): void {
    this.samples.take(now, now >= this.workload.warmupMs);
  }

  outcomes(): Outcomes {
    return { ...this.tally, completed: this.responses.count };
  }

  result(now: number): Omit<RunResult, 'seed' | 'replication' | 'scheduler' | 'partial' | 'events'> {
    const { responses } = this;
    return {
      simulatedMs: now,
      outcomes: this.outcomes(),
      response: {
        mean: responses.mean,
        p50: responses.quantile(0.5),
        p90: responses.quantile(0.9),
        p99: responses.quantile(0.99),
        p999: responses.quantile(0.999),
        max: responses.highest,
      },
      imbalance: this.samples.imbalance(),
      servers: this.serverResults(Math.max(now - this.workload.warmupMs, 0)),
      churn: this.disruption.read(),
      series: this.samples.read(),
      histogram: responses.filled(),
    };
  }

  private serverResults(measuredMs: number): RunResult['servers'] {
    const placed = this.servers.reduce((sum, { taken }) => sum + taken, 0);
    return this.servers.map((server, i) => ({
      server: server.name,
      weight: this.weights[i]!,
      connections: server.taken,
      share: placed === 0 ? 0 : server.taken / placed,
      meanOpen: this.samples.meanOpen(i),
      utilisation: measuredMs === 0 ? 0 : server.worked / (measuredMs * capacityOf(server.model)),
    }));
  }

  private makeServer(at: number): Server {
    const config = this.scene.servers[at]!;
    const model = modelOf(this.workload, this.scene, at);
    const { jobs, agenda } = this;
    const name = serverName(config);
    if (model.discipline === 'ps') {
      return new SharingServer(name, config, model, jobs, (due) => agenda.plan(due, EVENT.SHARED, at));
    }
    return new QueueServer(name, config, model, jobs, (due, job) => {
      jobs.planned[job] = 1;
      agenda.plan(due, EVENT.DONE, job);
    });
  }

  private directorOf(client: number): number {
    const { count, by } = this.workload.directors;
    if (count === 1) return 0;
    return by === 'client' ? client % count : Math.floor(this.routes() * count);
  }

  private isTaken(job: number, server: Server, now: number): boolean {
    if (this.jobs.idle[job] === 0) {
      if (!server.offer(job, now)) return false;
      this.working++;
      return true;
    }
    if (!server.up) return false;
    this.jobs.planned[job] = 1;
    this.planIdle(job, now);
    return true;
  }

  private planIdle(job: number, now: number): void {
    const step = Math.min(this.jobs.work[job]!, KEEP_ALIVE_MS);
    this.jobs.work[job]! -= step;
    this.agenda.plan(now + step, EVENT.IDLE, job);
  }

  private complete(job: number, server: Server, now: number): void {
    const { jobs } = this;
    this.working--;
    server.open--;
    const isAnswered = this.fronts[jobs.director[job]!]!.finish(job, now);
    if (this.isMeasured(job)) {
      server.worked += jobs.work[job]!;
      if (isAnswered) this.responses.add(now - jobs.arrivedAt[job]!);
      else this.tally.broken++;
    }
    this.forget(job, now);
  }

  private kill(at: number, now: number): void {
    const { jobs } = this;
    const server = this.servers[at]!;
    server.up = false;
    server.open = 0;
    server.clear();
    jobs.eachOf(at, (job) => {
      this.fronts[jobs.director[job]!]!.reset(job, now);
      if (this.isMeasured(job)) this.tally.broken++;
      if (jobs.idle[job] === 0) this.working--;
      jobs.server[job] = NONE;
      this.agenda.clientDone(jobs.client[job]!, now);
      // One with an event of its own is released by that.
      if (jobs.planned[job] === 0) jobs.release(job);
    });
  }

  private forget(job: number, now: number): void {
    const client = this.jobs.client[job]!;
    this.jobs.release(job);
    this.agenda.clientDone(client, now);
  }

  private isMeasured(job: number): boolean {
    return this.jobs.arrivedAt[job]! >= this.workload.warmupMs;
  }
}

/** How the server at an index of the scene works. */
export function modelOf({ servers }: Workload, scene: Scene, at: number): ServerModel {
  const own = servers.each.find(({ server }) => sameServer(server, scene.servers[at]!));
  return own?.model ?? servers.default;
}

/** In a closed loop and in a trace the arrivals say how many clients there are at least. */
function population({ clients, arrivals }: Workload): Population {
  if (arrivals.kind === 'closed') return { ...clients, count: arrivals.clients };
  if (arrivals.kind !== 'trace') return clients;
  const most = arrivals.records.reduce((highest, { client }) => Math.max(highest, client), -1);
  return { ...clients, count: Math.max(clients.count, most + 1) };
}
