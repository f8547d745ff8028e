import FlatQueue from 'flatqueue';
import type { DestKey } from '../core/config.ts';
import { type Jobs, NONE } from './jobs.ts';

/** How a real server works. */
export interface ServerModel {
  /** Work in ms that it does in 1 ms: of each place for fcfs, of the whole server for ps. */
  readonly speed: number;
  /** Most connections worked on at a time. */
  readonly concurrency: number;
  /** fcfs: each has a place to itself, in order of arrival; ps: all share the speed. */
  readonly discipline: 'fcfs' | 'ps';
  /** Most connections that wait for a place; more are reset. */
  readonly backlog: number;
}

/** Arranges for an event at `at` ms. */
export type Planner = (at: number, which: number) => void;

/** Work in ms that a server can do in 1 ms. */
export const capacityOf = (model: ServerModel): number =>
  model.discipline === 'ps' ? model.speed : model.speed * model.concurrency;

/** One real server: places, a queue for them, and the connections that are open to it. */
export abstract class Server {
  readonly name: string;
  readonly key: DestKey;
  readonly model: ServerModel;
  /** False while it is down: connections to it are reset. */
  up = true;
  /** Connections open to it, idle ones too. */
  open = 0;
  /** Connections that it was given since the warm-up. */
  taken = 0;
  /** Work done since the warm-up, ms at speed 1. */
  worked = 0;
  /** Places in use. */
  protected busy = 0;
  protected readonly jobs: Jobs;
  private head = NONE;
  private tail = NONE;
  private waiting = 0;

  constructor(name: string, key: DestKey, model: ServerModel, jobs: Jobs) {
    this.name = name;
    this.key = key;
    this.model = model;
    this.jobs = jobs;
  }

  /** @returns false if it does not take the connection: it is down, or its queue is full */
  offer(job: number, now: number): boolean {
    if (!this.up) return false;
    if (this.busy < this.model.concurrency) {
      this.start(job, now);
      return true;
    }
    if (this.waiting >= this.model.backlog) return false;
    this.enqueue(job);
    return true;
  }

  /** Forgets all work; the jobs are the caller's. */
  clear(): void {
    this.busy = 0;
    this.waiting = 0;
    this.head = NONE;
    this.tail = NONE;
  }

  protected abstract start(job: number, now: number): void;

  protected startNext(now: number): void {
    const job = this.head;
    if (job === NONE) return;
    this.head = this.jobs.next[job]!;
    if (this.head === NONE) this.tail = NONE;
    this.waiting--;
    this.start(job, now);
  }

  private enqueue(job: number): void {
    this.waiting++;
    this.jobs.next[job] = NONE;
    if (this.tail === NONE) this.head = job;
    else this.jobs.next[this.tail] = job;
    this.tail = job;
  }
}

/** First come, first served: `concurrency` places of equal speed. */
export class QueueServer extends Server {
  private readonly plan: Planner;

  /** @param plan is called with a job's number and the time at which it is done */
  constructor(name: string, key: DestKey, model: ServerModel, jobs: Jobs, plan: Planner) {
    super(name, key, model, jobs);
    this.plan = plan;
  }

  /** A job is done. */
  finish(now: number): void {
    this.busy--;
    this.startNext(now);
  }

  protected start(job: number, now: number): void {
    this.busy++;
    this.plan(now + this.jobs.work[job]! / this.model.speed, job);
  }
}

/**
 * Processor sharing in virtual time: while n jobs are worked on, each gets 1/n of the speed. A job is done when the work
 * that every present job got since the start reaches what it was at the job's arrival plus the job's own.
 */
export class SharingServer extends Server {
  /** Present jobs by the virtual time at which they are done. */
  private readonly present = new FlatQueue<number>();
  private virtual = 0;
  private virtualAt = 0;
  /** When the first of the present jobs is done; earlier plans are void. */
  private dueAt = Number.POSITIVE_INFINITY;
  private readonly plan: () => void;

  /** @param plan is called when `due` has changed */
  constructor(name: string, key: DestKey, model: ServerModel, jobs: Jobs, plan: (at: number) => void) {
    super(name, key, model, jobs);
    this.plan = () => plan(this.dueAt);
  }

  override clear(): void {
    super.clear();
    this.present.clear();
    this.dueAt = Number.POSITIVE_INFINITY;
  }

  /** @returns the job that is done at `now`, or NONE if the event was void */
  finished(now: number): number {
    if (now !== this.dueAt) return NONE;
    const job = this.present.peek()!;
    this.virtual = this.present.peekValue()!;
    this.virtualAt = now;
    this.present.pop();
    this.busy--;
    this.startNext(now);
    this.planNext(now);
    return job;
  }

  protected start(job: number, now: number): void {
    this.advance(now);
    this.busy++;
    this.present.push(job, this.virtual + this.jobs.work[job]!);
    this.planNext(now);
  }

  private advance(now: number): void {
    const count = this.present.length;
    if (count > 0) this.virtual += ((now - this.virtualAt) * this.model.speed) / count;
    this.virtualAt = now;
  }

  private planNext(now: number): void {
    const count = this.present.length;
    if (count === 0) {
      this.dueAt = Number.POSITIVE_INFINITY;
      return;
    }
    const left = Math.max(0, this.present.peekValue()! - this.virtual);
    this.dueAt = now + (left * count) / this.model.speed;
    this.plan();
  }
}
