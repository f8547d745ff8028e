import type { Address } from '../../src/core/address.ts';
import { formatAddress } from '../../src/core/address.ts';
import { METHOD } from '../../src/core/config.ts';
import {
  type ConnId,
  DIRECTION,
  type Direction,
  type Flow,
  type FlowDirector,
  type Target,
} from '../../src/core/flow.ts';

const EVENTS = ['SYN', 'FIN', 'ACK', 'RST'];

/** A director that takes every flow to one server, and writes down what it is told. */
export class FakeDirector implements FlowDirector {
  /** Where new flows go. */
  server: { addr: Address; port: number } | undefined;
  /** Answers `open` instead of an id while set. */
  refusal: number | undefined;
  readonly flows: Flow[] = [];
  /** Entries whose server was deleted. */
  readonly deleted = new Set<ConnId>();
  /** State changes by direction: `0 in SYN`. Data is only summed up, it may come in any pieces. */
  readonly events: string[] = [];
  /** Called with each state change once it is written down. */
  onEvent: (event: string) => void = () => {};
  readonly bytes = [0, 0];
  readonly packets = [0, 0];
  private readonly ids = new Map<string, ConnId>();
  private readonly targets: Target[] = [];

  open(flow: Flow, packets: number, bytes: number): ConnId | number {
    this.flows.push(flow);
    if (this.refusal !== undefined) return this.refusal;
    const id = this.idOf(flow);
    if (this.deleted.has(id)) return -3;
    this.count(DIRECTION.INPUT, packets, bytes);
    if (flow.protocol === 6) this.note(`${id} in SYN`);
    return id;
  }

  segment(id: ConnId, direction: Direction, event: number, packets: number, bytes: number): void {
    this.count(direction, packets, bytes);
    this.note(`${id} ${direction === DIRECTION.INPUT ? 'in' : 'out'} ${EVENTS[event]}`);
  }

  touch(_id: ConnId, direction: Direction, packets: number, bytes: number): void {
    this.count(direction, packets, bytes);
  }

  target(id: ConnId): Target {
    return this.targets[id]!;
  }

  available(id: ConnId): boolean {
    return !this.deleted.has(id);
  }

  /** How often an event was told, whatever the entry. */
  told(event: string): number {
    return this.events.filter((line) => line.endsWith(` ${event}`)).length;
  }

  private idOf(flow: Flow): ConnId {
    const tuple = `${flow.protocol} ${formatAddress(flow.caddr)} ${flow.cport} ${flow.vport}`;
    let id = this.ids.get(tuple);
    if (id === undefined) {
      id = this.targets.length;
      this.ids.set(tuple, id);
      this.targets.push({ daddr: this.server!.addr, dport: this.server!.port, method: METHOD.MASQ });
    }
    return id;
  }

  private note(event: string): void {
    this.events.push(event);
    this.onEvent(event);
  }

  private count(direction: Direction, packets: number, bytes: number): void {
    this.packets[direction]! += packets;
    this.bytes[direction]! += bytes;
  }
}
