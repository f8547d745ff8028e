import FlatQueue from 'flatqueue';
import type { SchedulerSpec } from '../core/scheduler.ts';
import { type ArrivalProcess, arrivalProcess, meanRate, type TraceRecord } from './arrivals.ts';
import { type ChurnStep, churnSteps } from './churn-plan.ts';
import { meanOf, type Sampler, sampler } from './distributions.ts';
import { type Random, randomStream, STREAM } from './random.ts';
import type { RunResult } from './results.ts';
import { capacityOf } from './servers.ts';
import type { Scene } from './setup.ts';
import { type Agenda, EVENT, modelOf, Traffic } from './traffic.ts';
import type { Workload } from './workload.ts';

/** An event is its kind and which of them, in one number. */
const KINDS = 8;
/** Samples of the load that a run takes. */
const SAMPLES = 1000;
/** Work of a connection that is only kept open. */
const NO_WORK = -1;

/** What distinguishes one run from another of the same scene and workload. */
export interface RunIdentity {
  readonly seed: number;
  readonly replication: number;
  /** Shown in the result. */
  readonly scheduler: string;
}

/**
 * One run: connections arrive, a director's scheduler gives each a server, servers work. Time is virtual and moves from
 * event to event; the same arguments give the same result, to the bit. What an arrival brings (moment, client, work)
 * is drawn from streams of its own, so that runs that differ in the scheduler only get the same connections.
 */
export class Simulation {
  private readonly workload: Workload;
  private readonly identity: RunIdentity;
  private readonly traffic: Traffic;
  private readonly queue = new FlatQueue<number>();
  private readonly steps: readonly ChurnStep[];
  private readonly work: Sampler;
  private readonly openTime: Sampler;
  private readonly think: Sampler | undefined;
  private readonly nextArrival: ArrivalProcess | undefined;
  private readonly records: readonly TraceRecord[];
  private readonly kinds: Random;
  private readonly sampleEveryMs: number;
  private arrivalAt = Number.POSITIVE_INFINITY;
  private now = 0;
  private events = 0;
  private arrivals = 0;
  private hasEnded = false;

  constructor(scene: Scene, workload: Workload, schedulers: readonly SchedulerSpec[], identity: RunIdentity) {
    this.workload = workload;
    this.identity = identity;
    const stream = (id: number): Random => randomStream(identity.seed, identity.replication, id);
    const agenda: Agenda = {
      plan: (at, kind, which) => this.queue.push(which * KINDS + kind, at),
      clientDone: (client, now) => this.thinkAgain(client, now),
    };
    this.traffic = new Traffic(scene, workload, schedulers, stream, agenda, identity.replication === 0);
    const { arrivals, longLived } = workload;
    this.work = sampler(workload.serviceTime, stream(STREAM.WORK));
    this.kinds = stream(STREAM.KINDS);
    this.openTime = sampler(longLived.duration, this.kinds);
    this.records = arrivals.kind === 'trace' ? arrivals.records : [];
    if (arrivals.kind === 'closed') this.think = sampler(arrivals.think, stream(STREAM.THINKING));
    else this.nextArrival = arrivalProcess(arrivals, stream(STREAM.ARRIVALS));
    this.steps = churnSteps(workload.churn, scene.servers);
    this.sampleEveryMs = Math.max(expectedMs(workload) / SAMPLES, Number.EPSILON);
    this.start();
  }

  /**
   * Works off events.
   * @param most how many at the most
   * @returns whether the run is over
   */
  advance(most: number): boolean {
    const { queue } = this;
    for (let left = most; left > 0; left--) {
      const plannedAt = queue.length === 0 ? Number.POSITIVE_INFINITY : queue.values[0]!;
      if (this.arrivalAt <= plannedAt) {
        if (this.arrivalAt === Number.POSITIVE_INFINITY) return true;
        this.now = this.arrivalAt;
        this.arrive(this.traffic.clients.draw());
        this.planArrival();
      } else {
        if (this.isOver(plannedAt)) return true;
        this.now = plannedAt;
        this.happen(queue.pop()!);
      }
      this.events++;
    }
    return false;
  }

  /** From 0 to 1. */
  get progress(): number {
    const { durationMs, connections } = this.workload;
    return Math.min(1, Math.max(this.now / durationMs, this.arrivals / connections));
  }

  /** @param partial the run is not over */
  result(partial = false): RunResult {
    return { ...this.identity, partial, events: this.events, ...this.traffic.result(this.now) };
  }

  private start(): void {
    const { arrivals } = this.workload;
    for (const [i, step] of this.steps.entries()) this.plan(step.atMs, EVENT.CHURN, i);
    this.plan(this.sampleEveryMs, EVENT.SAMPLE, 0);
    for (const i of this.traffic.fronts.keys()) this.planExpiry(i);
    if (arrivals.kind !== 'closed') this.planArrival();
    else for (let client = 0; client < arrivals.clients; client++) this.thinkAgain(client, 0);
  }

  private plan(at: number, kind: number, which: number): void {
    this.queue.push(which * KINDS + kind, at);
  }

  private planArrival(): void {
    const isLast = this.arrivals >= this.workload.connections;
    const at = isLast ? Number.POSITIVE_INFINITY : this.nextArrival!(this.now);
    this.arrivalAt = at <= this.workload.durationMs ? at : Number.POSITIVE_INFINITY;
    if (this.arrivalAt === Number.POSITIVE_INFINITY) this.hasEnded = true;
  }

  private planExpiry(which: number): void {
    const at = this.traffic.fronts[which]!.nextDeadline();
    if (at < Number.POSITIVE_INFINITY) this.plan(Math.max(at, this.now), EVENT.EXPIRE, which);
  }

  /** A client of a closed loop has its answer; it will connect again after a while. */
  private thinkAgain(client: number, now: number): void {
    if (this.think && !this.hasEnded) this.plan(now + this.think(), EVENT.THOUGHT, client);
  }

  private arrive(client: number): void {
    const record = this.records[this.arrivals];
    this.arrivals++;
    const { share } = this.workload.longLived;
    const isLongLived = share > 0 && this.kinds() < share;
    const work = this.work();
    if (record?.port !== undefined) this.traffic.clients.fixPort(record.port);
    this.traffic.arrive(
      record && record.client >= 0 ? record.client : client,
      isLongLived ? NO_WORK : record && record.workMs >= 0 ? record.workMs : work,
      isLongLived ? this.openTime() : 0,
      this.now,
    );
  }

  /** Nothing arrives any more, all work is done, and the time of the workload is over. */
  private isOver(next: number): boolean {
    const { durationMs } = this.workload;
    if (this.think && !this.hasEnded) this.hasEnded = next > durationMs;
    if (!this.hasEnded || this.traffic.working > 0) return false;
    return durationMs === Number.POSITIVE_INFINITY || next > durationMs;
  }

  private happen(event: number): void {
    const { traffic, now } = this;
    const which = Math.floor(event / KINDS);
    switch (event % KINDS) {
      case EVENT.DONE:
        traffic.queueDone(which, now);
        break;
      case EVENT.SHARED:
        traffic.sharedDone(which, now);
        break;
      case EVENT.IDLE:
        traffic.idleDue(which, now);
        break;
      case EVENT.THOUGHT:
        this.thought(which);
        break;
      case EVENT.CHURN:
        traffic.change(this.steps[which]!, now);
        break;
      case EVENT.SAMPLE:
        if (this.hasEnded && now > this.workload.durationMs) break;
        traffic.sample(now);
        this.plan(now + this.sampleEveryMs, EVENT.SAMPLE, 0);
        break;
      case EVENT.EXPIRE:
        traffic.fronts[which]!.expire(now);
        this.planExpiry(which);
        break;
    }
  }

  private thought(client: number): void {
    if (this.hasEnded) return;
    this.arrive(client);
    if (this.arrivals >= this.workload.connections) this.hasEnded = true;
  }
}

/** About how long a run takes on the virtual clock, ms. */
function expectedMs({ durationMs, connections, arrivals, serviceTime }: Workload): number {
  if (arrivals.kind === 'trace') return Math.min(durationMs, arrivals.records.at(-1)?.atMs ?? 0);
  const perMs =
    arrivals.kind === 'closed'
      ? arrivals.clients / (meanOf(arrivals.think) + meanOf(serviceTime))
      : (meanRate(arrivals) ?? 0) / 1000;
  return Math.min(durationMs, connections / perMs);
}

/**
 * Work that arrives, by what the servers that are there at the start can do: from 1 on, queues grow without end.
 * @returns `undefined` for a closed loop, whose clients wait
 */
export function offeredLoad(scene: Scene, workload: Workload): number | undefined {
  const rate = meanRate(workload.arrivals);
  if (rate === undefined) return undefined;
  let capacity = 0;
  for (let i = 0; i < scene.atStart; i++) {
    if (scene.servers[i]!.weight > 0) capacity += capacityOf(modelOf(workload, scene, i));
  }
  return ((rate / 1000) * meanWork(workload) * (1 - workload.longLived.share)) / capacity;
}

function meanWork({ arrivals, serviceTime }: Workload): number {
  const mean = meanOf(serviceTime);
  if (arrivals.kind !== 'trace' || arrivals.records.length === 0) return mean;
  const sum = arrivals.records.reduce((total, { workMs }) => total + (workMs >= 0 ? workMs : mean), 0);
  return sum / arrivals.records.length;
}
