import { type Address, AF_INET, AF_INET6, ipv4, ipv6 } from './address.ts';
import { PROTOCOL } from './config.ts';
import { CONN_FLAG } from './conn-flags.ts';
import type { Connections } from './connections.ts';
import type { Destination } from './destination.ts';
import type { DestinationTable } from './destination-table.ts';
import { type ConnId, DIRECTION, type Direction } from './flow.ts';
import { isActiveSctpState, nextSctpState, SCTP_ROWS, SCTP_STATE } from './sctp.ts';
import { isActiveTcpState, nextTcpState, TCP_ROWS, TCP_STATE } from './tcp.ts';
import type { StateTimeouts } from './timeouts.ts';
import { TimerWheel } from './timer-wheel.ts';

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
    this.wheel = new TimerWheel(conns.capacity, now);
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
    conns.timeoutSec[id] = NEW_ENTRY_SEC;
    conns.flags[id] = flags;
    if (dest) this.bind(id, dest);
    if ((flags & CONN_FLAG.ONE_PACKET) === 0) conns.hash(id);
    this.wheel.arm(id, now + NEW_ENTRY_SEC * 1000);
    return id;
  }

  /** Makes `parent` control `child`. */
  adopt(child: ConnId, parent: ConnId): void {
    this.conns.control[child] = parent;
    this.conns.controlled[parent]! += 1;
  }

  /** Restarts the timer, as the end of every packet's treatment does. */
  put(id: ConnId, now: number): void {
    this.wheel.restart(id, now, this.conns.timeoutSec[id]!);
  }

  /** One event of the entry's protocol: new state, timeout, counting. */
  transition(id: ConnId, direction: Direction, event: number, secureTcp: boolean): void {
    const { conns } = this;
    const protocol = conns.protocol(id);
    const inputOnly = this.noteDirection(id, direction);
    if (protocol === PROTOCOL.TCP) {
      const state = nextTcpState(rowOf(TCP_ROWS, direction, inputOnly), event, conns.state[id]!, secureTcp);
      this.setState(id, state, isActiveTcpState(state), state === TCP_STATE.ESTABLISHED);
    } else if (protocol === PROTOCOL.SCTP) {
      const state = nextSctpState(rowOf(SCTP_ROWS, direction, inputOnly) + event, conns.state[id]!);
      this.setState(id, state, isActiveSctpState(state), state === SCTP_STATE.ESTABLISHED);
    } else if (direction === DIRECTION.OUTPUT) {
      this.assureTemplate(id);
    }
    conns.timeoutSec[id] = this.timeouts.of(protocol, conns.state[id]!);
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
    this.conns.timeoutSec[id] = 0;
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
    return this.dests.at(this.conns.dest[id]!);
  }

  /** Keeps NOOUTPUT true to what is seen. @returns whether the input-only rules apply */
  private noteDirection(id: ConnId, direction: Direction): boolean {
    const flags = this.conns.flags[id]!;
    if ((flags & CONN_FLAG.NOOUTPUT) === 0) return false;
    if (direction === DIRECTION.INPUT) return true;
    this.conns.flags[id] = flags & ~CONN_FLAG.NOOUTPUT;
    return false;
  }

  private setState(id: ConnId, state: number, isActive: boolean, isEstablished: boolean): void {
    const { conns } = this;
    if (state === conns.state[id]) return;
    const dest = this.destOf(id);
    const isInactive = (conns.flags[id]! & CONN_FLAG.INACTIVE) !== 0;
    if (dest && isInactive === isActive) {
      const by = isInactive ? 1 : -1;
      dest.active += by;
      dest.inactive -= by;
      conns.flags[id]! ^= CONN_FLAG.INACTIVE;
    }
    conns.state[id] = state;
    if (isEstablished) this.assureTemplate(id);
  }

  private assureTemplate(id: ConnId): void {
    const parent = this.conns.control[id]!;
    if (parent >= 0 && (this.conns.flags[parent]! & CONN_FLAG.TEMPLATE) !== 0) {
      this.conns.state[parent] = TEMPLATE_ASSURED;
    }
  }

  private bind(id: ConnId, dest: Destination): void {
    const { conns } = this;
    conns.dest[id] = dest.slot;
    conns.flags[id]! |= dest.connFlags();
    if ((conns.flags[id]! & CONN_FLAG.TEMPLATE) !== 0) dest.persistent++;
    else dest.inactive++;
    dest.checkUpperThreshold();
  }

  private unbind(id: ConnId): void {
    const dest = this.destOf(id);
    if (!dest) return;
    const flags = this.conns.flags[id]!;
    if ((flags & CONN_FLAG.TEMPLATE) !== 0) dest.persistent--;
    else if ((flags & CONN_FLAG.INACTIVE) !== 0) dest.inactive--;
    else dest.active--;
    dest.checkLowerThreshold();
  }

  /** @returns whether to ask again: what it controls may end in the same moment, and then it ends too */
  private timerDue(id: ConnId, isLast: boolean): boolean {
    if (!isLast && this.conns.controlled[id]! > 0) return true;
    this.timerEnded(id);
    return false;
  }

  /** The timer of `id` is disarmed when this is called. */
  private timerEnded(id: ConnId): void {
    const { conns } = this;
    if (conns.controlled[id]! > 0) {
      conns.timeoutSec[id] = BUSY_SEC;
      this.wheel.arm(id, this.now + BUSY_SEC * 1000);
      return;
    }
    const parent = conns.control[id]!;
    const dropsChain = conns.timeoutSec[id] === 0;
    if (parent >= 0) conns.controlled[parent]! -= 1;
    this.unbind(id);
    this.onGone(id);
    if ((conns.flags[id]! & CONN_FLAG.HASHED) !== 0) conns.unhash(id);
    conns.release(id);
    if (dropsChain && parent >= 0 && conns.controlled[parent] === 0 && !this.isAssured(parent))
      this.expireNow(parent, this.now);
  }

  private isAssured(id: ConnId): boolean {
    const { conns } = this;
    return (conns.flags[id]! & CONN_FLAG.TEMPLATE) !== 0 && conns.state[id] === TEMPLATE_ASSURED;
  }
}

function rowOf(
  rows: { readonly INPUT: number; readonly OUTPUT: number; readonly INPUT_ONLY: number },
  direction: Direction,
  inputOnly: boolean,
): number {
  if (direction === DIRECTION.OUTPUT) return rows.OUTPUT;
  return inputOnly ? rows.INPUT_ONLY : rows.INPUT;
}
