import { type DestKey, PROTOCOL } from './config.ts';
import { CONN_FLAG } from './conn-flags.ts';
import { Connections } from './connections.ts';
import type { Destination } from './destination.ts';
import { DestinationTable } from './destination-table.ts';
import { EntryPath } from './entry-path.ts';
import { type ConnId, DIRECTION, type Direction, type Flow, TCP_EVENT, UDP_EVENT } from './flow.ts';
import { Lifecycle } from './lifecycle.ts';
import { SCTP_EVENT } from './sctp.ts';
import { Service } from './service.ts';
import { Services } from './services.ts';
import type { Settings } from './settings.ts';
import { Stats } from './stats.ts';
import type { StateTimeouts } from './timeouts.ts';

/** Bytes of a segment without data. */
const SEGMENT = 40;

/** Events from the client and back that make a connection, by protocol. */
const OPENING: Readonly<Record<number, readonly (readonly [Direction, number])[]>> = {
  [PROTOCOL.TCP]: [
    [DIRECTION.INPUT, TCP_EVENT.SYN],
    [DIRECTION.OUTPUT, TCP_EVENT.SYN],
    [DIRECTION.INPUT, TCP_EVENT.ACK],
  ],
  [PROTOCOL.UDP]: [[DIRECTION.INPUT, UDP_EVENT.DATAGRAM]],
  [PROTOCOL.SCTP]: [[DIRECTION.INPUT, SCTP_EVENT.INIT]],
};

/** What of a director is copied, or only read. */
interface Original {
  readonly entries: EntryPath;
  readonly settings: Settings;
  readonly timeouts: StateTimeouts;
}

/**
 * A service with its servers, the state of its scheduler and one client's template, copied, so that connections can be
 * opened in it that the director never sees.
 */
export class Rehearsal {
  readonly service: Service;
  private readonly life: Lifecycle;
  private readonly entries: EntryPath;
  private readonly copies: ReadonlyMap<Destination, Destination>;

  /**
   * @param flow whose client's template is copied
   * @param most connections that will be opened
   */
  constructor(
    { entries, settings, timeouts }: Original,
    real: Service,
    flow: Flow,
    most: number,
    now: number,
  ) {
    const dests = new DestinationTable();
    const service = new Service(real.config(), real.flags, undefined);
    this.copies = new Map(real.dests.map((dest) => [dest, dests.create(service, dest.config())]));
    this.service = service;
    for (const copy of [...this.copies.values()].reverse()) service.add(copy);
    service.scheduler = real.scheduler?.copy
      ? real.scheduler.copy((dest) => this.copies.get(dest) ?? dest)
      : real.scheduler;
    // Each connection, and a template for each that has none.
    this.life = new Lifecycle(new Connections(2 * most + 2, 0), dests, timeouts, now, () => {});
    this.entries = new EntryPath(this.life, new Services(), settings, new Stats());
    this.copyTemplate(entries, real, flow, now);
    for (const [dest, copy] of this.copies) copyLoad(dest, copy);
  }

  /** Takes a server out of the list. @returns false if there is no such server */
  remove(key: DestKey): boolean {
    const { service } = this;
    const at = service.indexOf(key);
    if (at < 0) return false;
    service.removeAt(at).available = false;
    service.scheduler?.removed?.(service.dests, at);
    return true;
  }

  /** An entry of the director will be ended to make room for the next connection. */
  forget(id: ConnId, life: Lifecycle): void {
    const bound = life.conns.controlled(id) > 0 ? undefined : life.destOf(id);
    const dest = bound && this.copies.get(bound);
    if (!dest) return;
    if ((life.conns.flags(id) & CONN_FLAG.INACTIVE) !== 0) dest.inactive--;
    else dest.active--;
    dest.checkLowerThreshold();
  }

  /** Opens a connection. @returns its server, or one of NOT_OPENED */
  open(flow: Flow, now: number): Destination | number {
    const id = this.entries.schedule(this.service, flow, 0, undefined, now);
    if (id < 0) return id;
    const dest = this.life.destOf(id)!;
    const isOneWay = (this.life.conns.flags(id) & CONN_FLAG.NOOUTPUT) !== 0;
    for (const [direction, event] of OPENING[flow.protocol] ?? []) {
      if (direction === DIRECTION.OUTPUT && isOneWay) continue;
      this.entries.segment(id, direction, event, 1, SEGMENT, now);
    }
    return dest;
  }

  private copyTemplate({ admission, life }: EntryPath, real: Service, flow: Flow, now: number): void {
    const { conns } = life;
    const id = real.isPersistent ? admission.findTemplate(real, flow) : -1;
    const bound = id < 0 ? undefined : life.destOf(id);
    const dest = bound && this.copies.get(bound);
    if (!dest) return;
    const made = this.life.create(
      conns.protocol(id),
      conns.caddr(id),
      0,
      conns.vaddr(id),
      conns.vport(id),
      dest,
      conns.dport(id),
      CONN_FLAG.TEMPLATE,
      now,
    );
    this.life.conns.setTimeoutSec(made, conns.timeoutSec(id));
    this.life.conns.setFwmark(made, flow.fwmark);
  }
}

function copyLoad(dest: Destination, copy: Destination): void {
  copy.lastWeight = dest.lastWeight;
  copy.upperThreshold = dest.upperThreshold;
  copy.lowerThreshold = dest.lowerThreshold;
  copy.active = dest.active;
  copy.inactive = dest.inactive;
  copy.persistent = dest.persistent;
  copy.overloaded = dest.overloaded;
}
