import type { Address } from './address.ts';

/** INPUT: towards the real server. OUTPUT: from it. */
export const DIRECTION = { INPUT: 0, OUTPUT: 1 } as const;
export type Direction = (typeof DIRECTION)[keyof typeof DIRECTION];

/** In place of INPUT where the rules are for entries whose replies are not seen. */
export const INPUT_ONLY = 2;

/** Events of the TCP machine, in the order in which the kernel's tables have them. */
export const TCP_EVENT = { SYN: 0, FIN: 1, ACK: 2, RST: 3 } as const;

/** UDP knows one event. */
export const UDP_EVENT = { DATAGRAM: 0 } as const;

/** Who talks to whom, as the client's packet says it. Families of `caddr` and `vaddr` are equal. */
export interface Flow {
  readonly protocol: number;
  readonly caddr: Address;
  readonly cport: number;
  readonly vaddr: Address;
  readonly vport: number;
  /** Firewall mark of the packet, 0 for none. */
  readonly fwmark: number;
}

/**
 * Stable id of a connection entry: valid until `onExpire(id)` was called for it; then it may be given to another
 * entry.
 */
export type ConnId = number;

/** What `open` answers instead of a ConnId (all negative). */
export const NOT_OPENED = {
  /** No virtual service takes this flow. */
  NO_SERVICE: -1,
  /** The service has no server that may be chosen (none, all quiesced, all overloaded). */
  NO_DEST: -2,
  /** To be dropped silently: the entry's server was deleted, or a defence says so. */
  DROP: -3,
  /** The connection table is full. */
  TABLE_FULL: -4,
} as const;

/** Where an entry's packets go. `dport` is the port to connect to. */
export interface Target {
  readonly daddr: Address;
  readonly dport: number;
  /** One of METHOD. */
  readonly method: number;
}

/** What a socket plane needs of the director's core. Times in ms of the injected monotonic clock. */
export interface FlowDirector {
  /**
   * Takes a client's opening TCP segment (event SYN) or any UDP datagram in: finds the entry or schedules a new one,
   * moves its state, restarts its timer and counts `packets` and `bytes` incoming.
   * @returns a ConnId, or one of NOT_OPENED.
   */
  open(flow: Flow, packets: number, bytes: number, now: number): ConnId | number;
  /** One event of one direction: state, timeout and counters. */
  segment(id: ConnId, direction: Direction, event: number, packets: number, bytes: number, now: number): void;
  /** Data without an event: counters, and the timer restarts with the timeout of the entry's state. */
  touch(id: ConnId, direction: Direction, packets: number, bytes: number, now: number): void;
  target(id: ConnId): Target;
  /** False once the entry's server was deleted; true again when it came back. */
  available(id: ConnId): boolean;
}

/** What the core tells a plane. */
export interface FlowEvents {
  /** The entry's timer has ended and the entry is gone; its id is free after this call. */
  expired(id: ConnId): void;
}
