import { type Address, AF_INET, AF_INET6, ipv4, ipv6 } from './address.ts';
import { PROTOCOL } from './config.ts';
import { CONN_FLAG } from './conn-flags.ts';
import type { Connections } from './connections.ts';
import type { Destination } from './destination.ts';
import type { DestinationTable } from './destination-table.ts';
import { type ConnId, DIRECTION, type Direction, INPUT_ONLY } from './flow.ts';
import { isActiveSctpState, nextSctpState, SCTP_STATE } from './sctp.ts';
import type { SyncOffers } from './sync-offers.ts';
import { isActiveTcpState, nextTcpState, TCP_STATE } from './tcp.ts';
import type { StateTimeouts } from './timeouts.ts';
import { TimerWheel } from './timer-wheel.ts';

// Copies, quicker to read; see entry-records.ts.
const { INPUT, OUTPUT } = DIRECTION;
const { TCP, SCTP } = PROTOCOL;
const { NOOUTPUT } = CONN_FLAG;
const NONE = -1;

/** What an entry's timer is set to before its first packet moves its state. */
const NEW_ENTRY_SEC = 3;
/** How long an entry is kept at a time while others depend on it. */
const BUSY_SEC = 60;

/** Destination of entries that have none. */
const UNSPECIFIED = { [AF_INET]: ipv4(0), [AF_INET6]: ipv6(0, 0, 0, 0) } as const;

/** State of a persistence template: one of its connections was once established. */
export const TEMPLATE_ASSURED = 1;

/** The life of connection entries: creation, states, timers, counting on the destination, removal (ip_vs_conn.c). */
export class Lifecycle {
  readonly conns: Connections;
  readonly wheel: TimerWheel;
  private readonly dests: DestinationTable;
  private readonly timeouts: StateTimeouts;
  private readonly onGone: (id: ConnId) => void;
  /** Hears of entries that outlive their timer, while a master of synchronisation runs. */
  offers: SyncOffers | undefined;
  private now = 0;
  private readonly fire = (id: ConnId, isLast: boolean): boolean => this.timerDue(id, isLast);

  /** @param onGone called while a removed entry can still be read, just before its id is free */
  constructor(
    conns: Connections,
    dests: DestinationTable,
    timeouts: StateTimeouts,
    now: number,
    onGone: (id: ConnId) => void,
  ) {
    this.conns = conns;
    this.wheel = new TimerWheel(conns, now);
    this.dests = dests;
    this.timeouts = timeouts;
    this.onGone = onGone;
  }

  /**
   * Makes an entry in state 0 with its timer running and binds it to `dest`; without one it is for packets that go on
   * to where they were sent. A ONE_PACKET entry is not to be found by any look-up.
   * @returns the id, or -1 if the table is full
   */
  create(
    protocol: number,
    caddr: Address,
    cport: number,
    vaddr: Address,
    vport: number,
    dest: Destination | undefined,
    dport: number,
    flags: number,
    now: number,
  ): ConnId {
    const { conns } = this;
    const id = conns.allocate();
    if (id < 0) return id;
    conns.setClient(id, protocol, caddr, cport);
    conns.setVirtual(id, vaddr, vport);
    conns.setDest(id, dest?.addr ?? UNSPECIFIED[vaddr.family], dport);
    conns.setTimeoutSec(id, NEW_ENTRY_SEC);
    conns.setFlags(id, flags);
    if (dest) this.bind(id, dest);
    if ((flags & CONN_FLAG.ONE_PACKET) === 0) conns.hash(id);
    this.wheel.arm(id, now + NEW_ENTRY_SEC * 1000);
    return id;
  }

  /** Makes `parent` control `child`. */
  adopt(child: ConnId, parent: ConnId): void {
    this.conns.setControl(child, parent);
    this.conns.addControlled(parent, 1);
  }

  /** Restarts the timer, as the end of every packet's treatment does. */
  put(id: ConnId, now: number): void {
    this.wheel.restart(id, now, this.conns.timeoutSec(id));
  }

  /** One event of the entry's protocol: new state, timeout, counting. */
  transition(id: ConnId, direction: Direction, event: number, secureTcp: boolean): void {
    const { conns } = this;
    const protocol = conns.protocol(id);
    const old = conns.state(id);
    const way = (conns.flags(id) & NOOUTPUT) === 0 ? direction : this.oneWay(id, direction);
    let state = old;
    if (protocol === TCP) state = nextTcpState(way, event, old, secureTcp);
    else if (protocol === SCTP) state = nextSctpState(way, event, old);
    else if (direction === OUTPUT) this.assureTemplate(id);
    if (state !== old) this.changeState(id, protocol, state);
    conns.setTimeoutSec(id, this.timeouts.of(protocol, state));
  }

  /** Runs the timers that are due. */
  expire(now: number): void {
    this.now = now;
    this.wheel.expire(now, this.fire);
  }

  /** Ends an entry now, whatever its timer says; one that controls others is kept as at its timer's end. */
  expireNow(id: ConnId, now: number): void {
    this.now = now;
    this.wheel.cancel(id);
    this.timerEnded(id);
  }

  /** Ends an entry because memory is wanted: a parent that then controls nobody goes too, unless it is ASSURED. */
  drop(id: ConnId, now: number): void {
    this.conns.setTimeoutSec(id, 0);
    this.expireNow(id, now);
  }

  /** Takes a template out of use: it stays listed, under ports 65535, until its timer ends. */
  invalidate(id: ConnId): void {
    const { conns } = this;
    conns.unhash(id);
    conns.setVirtual(id, conns.vaddr(id), 0xffff);
    conns.setDest(id, conns.daddr(id), 0xffff);
    conns.hash(id);
  }

  destOf(id: ConnId): Destination | undefined {
    const slot = this.conns.destSlot(id);
    return slot === NONE ? undefined : this.dests.at(slot);
  }

  /** The rules for an entry whose replies were not seen; one that is seen takes NOOUTPUT away. */
  private oneWay(id: ConnId, direction: Direction): number {
    if (direction === INPUT) return INPUT_ONLY;
    this.conns.setFlags(id, this.conns.flags(id) & ~NOOUTPUT);
    return direction;
  }

  private changeState(id: ConnId, protocol: number, state: number): void {
    const { conns } = this;
    const isActive = protocol === TCP ? isActiveTcpState(state) : isActiveSctpState(state);
    const established = protocol === TCP ? TCP_STATE.ESTABLISHED : SCTP_STATE.ESTABLISHED;
    const dest = this.destOf(id);
    const isInactive = (conns.flags(id) & CONN_FLAG.INACTIVE) !== 0;
    if (dest && isInactive === isActive) {
      const by = isInactive ? 1 : -1;
      dest.active += by;
      dest.inactive -= by;
      conns.setFlags(id, conns.flags(id) ^ CONN_FLAG.INACTIVE);
    }
    conns.setState(id, state);
    if (state === established) this.assureTemplate(id);
  }

  private assureTemplate(id: ConnId): void {
    const parent = this.conns.control(id);
    if (parent >= 0 && (this.conns.flags(parent) & CONN_FLAG.TEMPLATE) !== 0) {
      this.conns.setState(parent, TEMPLATE_ASSURED);
    }
  }

  private bind(id: ConnId, dest: Destination): void {
    const { conns } = this;
    const flags = conns.flags(id) | dest.connFlags();
    conns.setDestSlot(id, dest.slot);
    conns.setFlags(id, flags);
    if ((flags & CONN_FLAG.TEMPLATE) !== 0) dest.persistent++;
    else dest.inactive++;
    dest.checkUpperThreshold();
  }

  private unbind(id: ConnId): void {
    const dest = this.destOf(id);
    if (!dest) return;
    const flags = this.conns.flags(id);
    if ((flags & CONN_FLAG.TEMPLATE) !== 0) dest.persistent--;
    else if ((flags & CONN_FLAG.INACTIVE) !== 0) dest.inactive--;
    else dest.active--;
    dest.checkLowerThreshold();
  }

  /** @returns whether to ask again: what it controls may end in the same moment, and then it ends too */
  private timerDue(id: ConnId, isLast: boolean): boolean {
    if (!isLast && this.conns.controlled(id) > 0) return true;
    this.timerEnded(id);
    return false;
  }

  /** The timer of `id` is disarmed when this is called. */
  private timerEnded(id: ConnId): void {
    const { conns } = this;
    if (conns.controlled(id) > 0) {
      conns.setTimeoutSec(id, BUSY_SEC);
      this.offers?.prolonged(id, this.now);
      this.wheel.arm(id, this.now + BUSY_SEC * 1000);
      return;
    }
    const parent = conns.control(id);
    const dropsChain = conns.timeoutSec(id) === 0;
    if (parent >= 0) conns.addControlled(parent, -1);
    this.unbind(id);
    this.onGone(id);
    if ((conns.flags(id) & CONN_FLAG.HASHED) !== 0) conns.unhash(id);
    conns.release(id);
    if (dropsChain && parent >= 0 && conns.controlled(parent) === 0 && !this.isAssured(parent))
      this.expireNow(parent, this.now);
  }

  private isAssured(id: ConnId): boolean {
    const { conns } = this;
    return (conns.flags(id) & CONN_FLAG.TEMPLATE) !== 0 && conns.state(id) === TEMPLATE_ASSURED;
  }
}
