import { PROTOCOL } from './config.ts';
import { CONN_FLAG } from './conn-flags.ts';
import type { Connections } from './connections.ts';
import type { ConnId } from './flow.ts';
import { SCTP_STATE } from './sctp.ts';
import type { Settings } from './settings.ts';
import { TCP_STATE } from './tcp.ts';

const NONE = -1;
const { TEMPLATE, ONE_PACKET } = CONN_FLAG;
const { TCP, SCTP } = PROTOCOL;

/** An entry is told again as a refresh only if its end moved by this at least, or by half its timeout. */
const LEAST_REFRESH_MS = 10_000;

const bits = (...states: readonly number[]): number => states.reduce((mask, state) => mask | (1 << state), 0);

/** States in which a connection is told of, a bit each. */
const TOLD_TCP = bits(
  TCP_STATE.ESTABLISHED,
  TCP_STATE.FIN_WAIT,
  TCP_STATE.CLOSE,
  TCP_STATE.CLOSE_WAIT,
  TCP_STATE.TIME_WAIT,
);
const TOLD_SCTP = bits(
  SCTP_STATE.ESTABLISHED,
  SCTP_STATE.SHUTDOWN_SENT,
  SCTP_STATE.SHUTDOWN_RECEIVED,
  SCTP_STATE.SHUTDOWN_ACK_SENT,
  SCTP_STATE.CLOSED,
);

/** Takes the entries that other directors are to be told of. */
export interface SyncSink {
  /** The entry is to be read at once. */
  offer(id: ConnId, now: number): void;
}

/**
 * The master's side of synchronisation: which packets make an entry worth telling (ip_vs_sync_conn). Asked after the
 * entry's state has moved and the packet was counted, and before its timer restarts.
 */
export class SyncOffers {
  private readonly conns: Connections;
  private readonly settings: Settings;
  private readonly numbers: Settings['numbers'];
  private readonly sink: SyncSink;
  /** By id: the state that was told last, when the entry would end as told, and how often that was repeated. */
  private readonly toldState: Uint8Array;
  private readonly toldEnd: Float64Array;
  private readonly retries: Uint8Array;

  constructor(conns: Connections, settings: Settings, sink: SyncSink) {
    this.conns = conns;
    this.settings = settings;
    this.numbers = settings.numbers;
    this.sink = sink;
    this.toldState = new Uint8Array(conns.capacity);
    this.toldEnd = new Float64Array(conns.capacity);
    this.retries = new Uint8Array(conns.capacity);
  }

  /** Packets of the client have been counted on an entry. @param packets how many */
  incoming(id: ConnId, packets: number, now: number): void {
    const { conns } = this;
    if ((conns.flags(id) & ONE_PACKET) !== 0) {
      if (this.numbers.sync_version !== 0) this.tellParents(id, packets, now);
      return;
    }
    const count = conns.inPackets(id);
    // An id that was another entry's before: nothing was told yet.
    if (count === packets) this.forget(id);
    this.tell(id, count - packets, count, now);
  }

  /** An entry whose timer ended goes on, because others depend on it. */
  prolonged(id: ConnId, now: number): void {
    if (this.conns.inPackets(id) === 0) this.forget(id);
    const { sync_threshold: threshold } = this.numbers;
    this.tell(id, threshold - 1, threshold, now);
  }

  /** Another director has told of the entry. */
  heard(id: ConnId, state: number): void {
    this.forget(id);
    this.toldState[id] = state;
  }

  /** @param before packets before those that are asked about @param count packets with them */
  private tell(id: ConnId, before: number, count: number, now: number): void {
    const isV1 = this.numbers.sync_version !== 0;
    if (!isV1 && this.conns.isV6(id)) return;
    const isNews = this.isNews(id, before, count, now);
    if (isNews) this.sink.offer(id, now);
    if (isNews || isV1) this.tellParents(id, count - before, now);
  }

  /** Templates count the packets of what they control. */
  private tellParents(id: ConnId, packets: number, now: number): void {
    const { conns } = this;
    const parent = conns.control(id);
    if (parent === NONE) return;
    if ((conns.flags(parent) & TEMPLATE) === 0) {
      const { sync_threshold: threshold } = this.numbers;
      this.tell(parent, threshold - 1, threshold, now);
      return;
    }
    const before = conns.inPackets(parent);
    if (before === 0) this.forget(parent);
    conns.addInPackets(parent, packets);
    this.tell(parent, before, before + packets, now);
  }

  private isNews(id: ConnId, before: number, count: number, now: number): boolean {
    const isTemplate = (this.conns.flags(id) & TEMPLATE) !== 0;
    const state = this.conns.state(id);
    if (!isTemplate) {
      if (this.numbers.sync_persist_mode !== 0 && this.isPersistent(id)) return false;
      if (!this.isToldState(id, state)) return false;
      if (this.isEnding(id, state)) return this.note(id, state, 0, now);
    }
    const refreshMs = this.numbers.sync_refresh_period * 1000;
    const retries = refreshMs > 0 ? this.retriesAt(id, refreshMs, now) : 0;
    if (retries === NONE || !this.isTurn(isTemplate, refreshMs > 0, before, count)) return false;
    return this.note(id, state, retries, now);
  }

  private isToldState(id: ConnId, state: number): boolean {
    const protocol = this.conns.protocol(id);
    if (protocol === TCP) return ((TOLD_TCP >>> state) & 1) !== 0;
    return protocol !== SCTP || ((TOLD_SCTP >>> state) & 1) !== 0;
  }

  /** Whether a connection has come to a state on its way to its end, which is told at once. */
  private isEnding(id: ConnId, state: number): boolean {
    if (state === this.toldState[id]) return false;
    const protocol = this.conns.protocol(id);
    if (protocol === TCP) return state !== TCP_STATE.ESTABLISHED;
    return protocol === SCTP && state !== SCTP_STATE.ESTABLISHED;
  }

  /** The packet rule: one of the packets after `before` up to `count` is the threshold-th of a period. */
  private isTurn(isTemplate: boolean, refreshes: boolean, before: number, count: number): boolean {
    const { sync_threshold: threshold } = this.numbers;
    const period = this.settings.syncPeriod;
    if (period === 0) return refreshes || (before < threshold && threshold <= count);
    if (isTemplate) return true;
    const past = (count - threshold) % period;
    // Of negative numbers the remainder is negative: the threshold is still ahead.
    return past >= 0 && past < count - before;
  }

  /** @returns how many repetitions this telling makes, 0 for real news, or -1 if there is nothing to tell */
  private retriesAt(id: ConnId, refreshMs: number, now: number): number {
    const timeoutMs = this.conns.timeoutSec(id) * 1000;
    const toldEnd = this.toldEnd[id]!;
    const moved = Math.abs(now + timeoutMs - toldEnd);
    if (moved >= Math.min(refreshMs, Math.max(timeoutMs / 2, LEAST_REFRESH_MS))) return 0;
    const retries = this.retries[id]!;
    if (retries >= this.numbers.sync_retries) return NONE;
    return now < toldEnd - timeoutMs + refreshMs / 8 ? NONE : retries + 1;
  }

  private note(id: ConnId, state: number, retries: number, now: number): true {
    this.toldState[id] = state;
    this.toldEnd[id] = now + this.conns.timeoutSec(id) * 1000;
    this.retries[id] = retries;
    return true;
  }

  private forget(id: ConnId): void {
    this.toldState[id] = 0;
    this.toldEnd[id] = 0;
    this.retries[id] = 0;
  }

  private isPersistent(id: ConnId): boolean {
    const { conns } = this;
    for (let parent = conns.control(id); parent !== NONE; parent = conns.control(parent)) {
      if ((conns.flags(parent) & TEMPLATE) !== 0) return true;
    }
    return false;
  }
}
