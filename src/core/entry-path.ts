import { Admission, FTP_PORT } from './admission.ts';
import { PROTOCOL } from './config.ts';
import { CONN_FLAG } from './conn-flags.ts';
import { type ConnId, DIRECTION, type Direction, type Flow, NOT_OPENED } from './flow.ts';
import type { Lifecycle } from './lifecycle.ts';
import { SCTP_STATE } from './sctp.ts';
import type { Service } from './service.ts';
import type { Services } from './services.ts';
import type { Settings } from './settings.ts';
import type { Stats } from './stats.ts';
import type { SyncOffers } from './sync-offers.ts';
import { TCP_STATE } from './tcp.ts';

// A copy, quicker to read; see entry-records.ts.
const { INPUT } = DIRECTION;

/** Bits of conn_reuse_mode. */
const REUSE_FIN_WAIT = 2;

/** No entry. */
const NONE = -1;

/** What both planes do with entries: rules for entries met again, new entries, events and counters (ip_vs_core.c). */
export class EntryPath {
  readonly admission: Admission;
  readonly life: Lifecycle;
  readonly services: Services;
  /** While a master of synchronisation runs. */
  offers: SyncOffers | undefined;
  private readonly settings: Settings;
  private readonly numbers: Settings['numbers'];
  private readonly total: Stats;

  /** @param total counters of the whole director */
  constructor(life: Lifecycle, services: Services, settings: Settings, total: Stats) {
    this.life = life;
    this.services = services;
    this.settings = settings;
    this.numbers = settings.numbers;
    this.total = total;
    this.admission = new Admission(life, settings, total);
  }

  /**
   * Judges the entry that a client's packet hit.
   * @param isOpening the packet opens a connection
   * @returns the entry, -1 if the packet is to be scheduled as if there were none, or NOT_OPENED.DROP
   */
  judge(id: ConnId, isOpening: boolean, now: number): ConnId | number {
    if (isOpening && this.isToBeScheduledAnew(id)) {
      if (this.life.conns.controlled(id) === 0) this.life.expireNow(id, now);
      return NONE;
    }
    const dest = this.life.destOf(id);
    return !dest || dest.available ? id : this.withoutDest(id, now);
  }

  /** What `judge` would answer, without doing anything. */
  foresee(id: ConnId, isOpening: boolean): ConnId | number {
    if (isOpening && this.isToBeScheduledAnew(id)) return NONE;
    const dest = this.life.destOf(id);
    if (!dest || dest.available) return id;
    return this.settings.numbers.expire_nodest_conn === 0 ? NOT_OPENED.DROP : NONE;
  }

  private withoutDest(id: ConnId, now: number): ConnId | number {
    if (this.settings.numbers.expire_nodest_conn === 0) return NOT_OPENED.DROP;
    this.life.expireNow(id, now);
    return NONE;
  }

  /** A new entry for a flow, by its service. @returns one of NOT_OPENED if there is none to be made */
  schedule(
    service: Service,
    flow: Flow,
    flags: number,
    callId: string | undefined,
    now: number,
  ): ConnId | number {
    return this.admission.schedule(service, flow, flags, callId, now);
  }

  /** Moves the state, counts, restarts the timer. */
  segment(
    id: ConnId,
    direction: Direction,
    event: number,
    packets: number,
    bytes: number,
    now: number,
  ): void {
    this.life.transition(id, direction, event, this.numbers.secure_tcp >= 2);
    this.pass(id, direction, packets, bytes, now);
  }

  /** Packets that move no state: counts, tells other directors, restarts the timer. */
  pass(id: ConnId, direction: Direction, packets: number, bytes: number, now: number): void {
    this.count(id, direction, packets, bytes);
    if (direction === INPUT && this.offers !== undefined) this.offers.incoming(id, packets, now);
    this.life.put(id, now);
  }

  /** Counts on the destination, its service and the whole; nothing once the destination was deleted. */
  count(id: ConnId, direction: Direction, packets: number, bytes: number): void {
    if (direction === INPUT) this.life.conns.addInPackets(id, packets);
    const dest = this.life.destOf(id);
    if (!dest?.available) return;
    dest.stats.count(direction, packets, bytes);
    dest.service.stats.count(direction, packets, bytes);
    this.total.count(direction, packets, bytes);
  }

  /** Whether a service that gave no server leaves the packet to the host: data ports of an FTP service. */
  isLeftToHost(service: Service, vport: number): boolean {
    return service.port === FTP_PORT && vport !== FTP_PORT;
  }

  /** A client uses its port again while the old entry is still there (ip_vs_in_hook, port reuse). */
  private isToBeScheduledAnew(id: ConnId): boolean {
    const { conns } = this.life;
    if (conns.protocol(id) === PROTOCOL.UDP) return false;
    const { numbers } = this.settings;
    if (numbers.expire_nodest_conn !== 0 && this.life.destOf(id)?.weight === 0) return true;
    const mode = numbers.conn_reuse_mode;
    if (mode === 0 || conns.control(id) >= 0) return false;
    const state = conns.state(id);
    if (conns.protocol(id) === PROTOCOL.SCTP) return state === SCTP_STATE.CLOSED;
    if (state === TCP_STATE.TIME_WAIT || state === TCP_STATE.CLOSE) return true;
    const unseen = (conns.flags(id) & CONN_FLAG.NOOUTPUT) !== 0;
    return (mode & REUSE_FIN_WAIT) !== 0 && state === TCP_STATE.FIN_WAIT && unseen;
  }
}
