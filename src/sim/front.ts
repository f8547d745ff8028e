import { METHOD, PROTOCOL } from '../core/config.ts';
import { CONN_FLAG } from '../core/conn-flags.ts';
import type { Destination } from '../core/destination.ts';
import type { Director } from '../core/director.ts';
import { type ConnId, DIRECTION, NOT_OPENED, TCP_EVENT } from '../core/flow.ts';
import { NO_DEST, type SchedulerSpec } from '../core/scheduler.ts';
import type { Service } from '../core/service.ts';
import type { Clients } from './clients.ts';
import { type Jobs, NONE } from './jobs.ts';
import type { Random } from './random.ts';
import { makeDirector, type Scene, sameServer } from './setup.ts';

/** Bytes of a segment without data. */
const SEGMENT = 40;

/** What a front answers instead of a server. */
export const REFUSED = { NO_SERVER: NOT_OPENED.NO_DEST, TABLE_FULL: NOT_OPENED.TABLE_FULL } as const;

/** A director's flow, refilled for each connection. */
type Scratch = {
  -readonly [Key in keyof Parameters<Director['open']>[0]]: Parameters<Director['open']>[0][Key];
};

/** One director as the connections of a simulation meet it. */
export abstract class Front {
  protected readonly director: Director;
  protected readonly service: Service;
  protected readonly flow: Scratch;
  private readonly scene: Scene;
  private readonly clients: Clients;
  /** Server by the slot of its destination in the director's table. */
  private readonly serverOfSlot: number[] = [];

  constructor(director: Director, scene: Scene, clients: Clients) {
    this.director = director;
    this.scene = scene;
    this.clients = clients;
    this.service = director.config.service(scene.service);
    const { vaddr, vport } = scene;
    const { protocol, fwmark } = scene.service;
    this.flow = { protocol, caddr: vaddr, cport: 0, vaddr, vport, fwmark };
    this.noteSlots();
  }

  /** Places a connection. @returns the server's index, or one of REFUSED */
  abstract place(job: number, client: number, now: number): number;
  /** The server takes it. */
  abstract accepted(job: number, now: number): void;
  /** The server resets it. */
  abstract reset(job: number, now: number): void;
  /** Data both ways, at intervals shorter than any timeout. */
  abstract keepAlive(job: number, now: number): void;
  /** The connection ends. @returns false if the director no longer carried its packets */
  abstract finish(job: number, now: number): boolean;
  /** When `expire` wants to be called. */
  abstract nextDeadline(): number;

  expire(now: number): void {
    this.director.expire(now);
  }

  /** Adds, edits or (weight -1) deletes a server. */
  setWeight(server: number, weight: number, now: number): void {
    const config = this.scene.servers[server]!;
    const service = this.scene.service;
    const isThere = this.service.indexOf(config) >= 0;
    if (weight < 0) {
      if (isThere) this.director.apply({ op: 'delete-dest', service, dest: config }, now);
    } else {
      const dest = { ...config, weight };
      this.director.apply({ op: isThere ? 'edit-dest' : 'add-dest', service, dest }, now);
    }
    this.noteSlots();
  }

  /** Refills the scratch flow with a client's next connection. */
  protected prepare(client: number): void {
    this.flow.caddr = this.clients.address(client);
    this.flow.cport = this.clients.takePort(client);
  }

  protected serverOf(slot: number): number {
    return this.serverOfSlot[slot]!;
  }

  private noteSlots(): void {
    for (const dest of this.service.dests) {
      this.serverOfSlot[dest.slot] = this.scene.servers.findIndex((config) => sameServer(config, dest));
    }
  }
}

/** Every connection has an entry, with the segments that open and close it. */
export class EntryFront extends Front {
  private readonly jobs: Jobs;
  private readonly isTcp: boolean;
  /** Job + 1 by entry. */
  private readonly jobOf: Int32Array;

  constructor(
    scene: Scene,
    schedulers: readonly SchedulerSpec[],
    random: Random,
    clients: Clients,
    jobs: Jobs,
    tableSize: number,
  ) {
    const jobOf = new Int32Array(tableSize);
    const forget = (id: ConnId): void => {
      const job = jobOf[id]! - 1;
      if (job >= 0) jobs.handle[job] = NONE;
      jobOf[id] = 0;
    };
    super(makeDirector(scene.commands, schedulers, random, tableSize, forget), scene, clients);
    this.jobs = jobs;
    this.jobOf = jobOf;
    this.isTcp = scene.service.protocol === PROTOCOL.TCP || scene.service.fwmark !== 0;
  }

  place(job: number, client: number, now: number): number {
    this.prepare(client);
    const id = this.director.open(this.flow, 1, SEGMENT, now);
    if (id < 0) return id;
    // A port that comes round again while its old entry lives.
    const before = this.jobOf[id]! - 1;
    if (before >= 0) this.jobs.handle[before] = NONE;
    this.jobOf[id] = job + 1;
    this.jobs.handle[job] = id;
    return this.serverOf(this.director.life.conns.destSlot(id));
  }

  accepted(job: number, now: number): void {
    if (!this.isTcp) return;
    const id = this.jobs.handle[job]!;
    if (this.seesReplies(id)) this.director.segment(id, DIRECTION.OUTPUT, TCP_EVENT.SYN, 1, SEGMENT, now);
    this.director.segment(id, DIRECTION.INPUT, TCP_EVENT.ACK, 1, SEGMENT, now);
  }

  reset(job: number, now: number): void {
    const id = this.release(job);
    if (id !== NONE && this.isTcp && this.seesReplies(id)) {
      this.director.segment(id, DIRECTION.OUTPUT, TCP_EVENT.RST, 1, SEGMENT, now);
    }
  }

  keepAlive(job: number, now: number): void {
    const id = this.jobs.handle[job]!;
    if (id !== NONE && this.director.available(id)) this.director.touch(id, DIRECTION.INPUT, 1, SEGMENT, now);
  }

  finish(job: number, now: number): boolean {
    const id = this.release(job);
    if (id === NONE || !this.director.available(id)) return false;
    const seesReplies = this.seesReplies(id);
    if (!this.isTcp) {
      if (seesReplies) this.director.touch(id, DIRECTION.OUTPUT, 1, SEGMENT, now);
      return true;
    }
    this.director.segment(id, DIRECTION.INPUT, TCP_EVENT.FIN, 1, SEGMENT, now);
    if (seesReplies) this.director.segment(id, DIRECTION.OUTPUT, TCP_EVENT.FIN, 1, SEGMENT, now);
    return true;
  }

  nextDeadline(): number {
    return this.director.nextDeadline();
  }

  /** Replies of other servers than masqueraded ones do not pass the director. */
  private seesReplies(id: ConnId): boolean {
    return (this.director.life.conns.flags(id) & CONN_FLAG.METHOD_MASK) === METHOD.MASQ;
  }

  private release(job: number): ConnId {
    const id = this.jobs.handle[job]!;
    if (id !== NONE) this.jobOf[id] = 0;
    return id;
  }
}

/** No entries: the scheduler decides, and connections count as active until they end. */
export class CounterFront extends Front {
  private readonly jobs: Jobs;

  constructor(
    scene: Scene,
    schedulers: readonly SchedulerSpec[],
    random: Random,
    clients: Clients,
    jobs: Jobs,
  ) {
    super(makeDirector(scene.commands, schedulers, random, 1), scene, clients);
    this.jobs = jobs;
  }

  place(job: number, client: number, now: number): number {
    this.prepare(client);
    const { scheduler, dests } = this.service;
    const at = scheduler === undefined ? NO_DEST : scheduler.schedule(dests, this.flow, now);
    if (at === NO_DEST) return REFUSED.NO_SERVER;
    const dest = dests[at]!;
    dest.active++;
    dest.checkUpperThreshold();
    this.jobs.handle[job] = dest.slot;
    return this.serverOf(dest.slot);
  }

  accepted(): void {}

  reset(job: number): void {
    this.end(job);
  }

  keepAlive(): void {}

  finish(job: number): boolean {
    return this.end(job).available;
  }

  nextDeadline(): number {
    return Number.POSITIVE_INFINITY;
  }

  private end(job: number): Destination {
    const dest = this.director.config.dests.at(this.jobs.handle[job]!)!;
    dest.active--;
    dest.checkLowerThreshold();
    return dest;
  }
}
