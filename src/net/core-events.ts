import type { Address } from '../core/address.ts';
import { PROTOCOL } from '../core/config.ts';
import {
  type ConnId,
  DIRECTION,
  type Direction,
  type FlowDirector,
  NOT_OPENED,
  type Target,
  TCP_EVENT,
  UDP_EVENT,
} from '../core/flow.ts';
import { ACK_PACKETS, dataPackets, FIN_PACKETS, RST_PACKETS, SYN_PACKETS } from './packet-estimate.ts';
import type { ProxyCounters } from './proxy-counters.ts';
import type { TcpRelayEvents, UdpRelayEvents } from './relay.ts';

/** What becomes of socket events: the same for the relays of all loops. */
export interface CoreEventsOptions {
  readonly director: FlowDirector;
  readonly counters: ProxyCounters;
  /** Milliseconds of the core's clock. */
  readonly now: () => number;
}

/** Socket events of TCP flows as the core's TCP segments. */
export class TcpCoreEvents implements TcpRelayEvents {
  private readonly director: FlowDirector;
  private readonly counters: ProxyCounters;
  private readonly now: () => number;

  constructor(options: CoreEventsOptions) {
    this.director = options.director;
    this.counters = options.counters;
    this.now = options.now;
  }

  accepted(caddr: Address, cport: number, vaddr: Address, vport: number): ConnId | number {
    this.counters.tcp_accepted++;
    const flow = { protocol: PROTOCOL.TCP, caddr, cport, vaddr, vport, fwmark: 0 };
    const id = this.director.open(flow, SYN_PACKETS, 0, this.now());
    if (id < 0) this.countRefusal(id);
    return id;
  }

  target(id: ConnId): Target {
    return this.director.target(id);
  }

  readable(id: ConnId): boolean {
    return this.director.available(id);
  }

  connected(id: ConnId): void {
    this.counters.tcp_connected++;
    const now = this.now();
    this.director.segment(id, DIRECTION.OUTPUT, TCP_EVENT.SYN, SYN_PACKETS, 0, now);
    this.director.segment(id, DIRECTION.INPUT, TCP_EVENT.ACK, ACK_PACKETS, 0, now);
  }

  refused(id: ConnId): void {
    this.counters.tcp_server_refused++;
    this.director.segment(id, DIRECTION.OUTPUT, TCP_EVENT.RST, RST_PACKETS, 0, this.now());
  }

  unreachable(): void {
    this.counters.tcp_server_unreachable++;
  }

  data(id: ConnId, direction: Direction, bytes: number): void {
    this.director.touch(id, direction, dataPackets(bytes), bytes, this.now());
  }

  ended(id: ConnId, direction: Direction): void {
    this.director.segment(id, direction, TCP_EVENT.FIN, FIN_PACKETS, 0, this.now());
  }

  reset(id: ConnId, direction: Direction): void {
    this.counters.tcp_reset_by_peer++;
    this.director.segment(id, direction, TCP_EVENT.RST, RST_PACKETS, 0, this.now());
  }

  private countRefusal(reason: number): void {
    if (reason === NOT_OPENED.NO_SERVICE) this.counters.tcp_refused_no_service++;
    else if (reason === NOT_OPENED.NO_DEST) this.counters.tcp_refused_no_dest++;
    else if (reason === NOT_OPENED.TABLE_FULL) this.counters.tcp_refused_table_full++;
    else this.counters.tcp_refused_drop++;
  }
}

/** Datagrams of relayed UDP flows as the core's UDP packets. */
export class UdpCoreEvents implements UdpRelayEvents {
  private readonly director: FlowDirector;
  private readonly now: () => number;

  constructor(options: CoreEventsOptions) {
    this.director = options.director;
    this.now = options.now;
  }

  datagram(caddr: Address, cport: number, vaddr: Address, vport: number, bytes: number): ConnId | number {
    const flow = { protocol: PROTOCOL.UDP, caddr, cport, vaddr, vport, fwmark: 0 };
    return this.director.open(flow, 1, bytes, this.now());
  }

  target(id: ConnId): Target {
    return this.director.target(id);
  }

  reply(id: ConnId, bytes: number): void {
    this.director.segment(id, DIRECTION.OUTPUT, UDP_EVENT.DATAGRAM, 1, bytes, this.now());
  }
}
