import type { Address } from '../core/address.ts';
import type { ConnId, Direction, Target } from '../core/flow.ts';

/** An open listener of a relay. */
export interface RelayListener {
  /** The port that is bound: the kernel's choice if 0 was asked for. */
  readonly port: number;
  /**
   * Errno name of the last attempt to open it again, after a shortage of descriptors had closed it; `undefined` while
   * it listens or waits for descriptors.
   */
  readonly failure: string | undefined;
  /** Closes it; what it has accepted goes on. Resolves once the address is free. */
  close(): Promise<void>;
}

/** What all relays offer, whatever their protocol and loop. */
export interface Relay {
  /** Rejects with an Error whose `code` is the errno's name. Port 0 lets the kernel choose. */
  listen(addr: Address, port: number): Promise<RelayListener>;
  /** Ends the flow of an entry at once (TCP: resets both sides). @returns false if there is none. */
  abort(id: ConnId): boolean;
  /** Flows that hold sockets. */
  readonly size: number;
  /** Bytes read but not yet taken by the kernel for sending. */
  bufferedBytes(): number;
  /** Closes listeners and aborts all flows. Resolves when no descriptor is left open. */
  stop(): Promise<void>;
}

/** What a TCP relay tells; it never decides anything about a flow itself. Calls may abort any flow. */
export interface TcpRelayEvents {
  /** A client has connected. @returns the entry to relay for, or a negative number: the client is reset. */
  accepted(caddr: Address, cport: number, vaddr: Address, vport: number): ConnId | number;
  target(id: ConnId): Target;
  /** False while the flow may not be read. Asked once, when the server has answered. */
  readable(id: ConnId): boolean;
  /** The server has accepted. */
  connected(id: ConnId): void;
  /** The server has answered the connect with a reset; the client is reset. */
  refused(id: ConnId): void;
  /** No answer from the server, or no descriptor or port to ask it with; the client is reset. `code`: errno name. */
  unreachable(id: ConnId, code: string): void;
  /** `bytes` were read from the side where `direction` starts. */
  data(id: ConnId, direction: Direction, bytes: number): void;
  /** End of stream (FIN) of the side where `direction` starts; passed on. */
  ended(id: ConnId, direction: Direction): void;
  /** Reset of the side where `direction` starts; passed on. */
  reset(id: ConnId, direction: Direction): void;
}

/** Moves bytes between clients and servers. One implementation per event loop; see the contract suite in test/net. */
export interface TcpRelay extends Relay {
  /** Stops (true) or resumes (false) reading both sides of an entry's flow. */
  hold(id: ConnId, held: boolean): void;
  /** Entries whose flows hold sockets. May be changed by calls made while iterating. */
  ids(): Iterable<ConnId>;
}

export interface UdpRelayEvents {
  /** A client's datagram has come. @returns the entry to relay for, or a negative number: it is dropped. */
  datagram(caddr: Address, cport: number, vaddr: Address, vport: number, bytes: number): ConnId | number;
  target(id: ConnId): Target;
  /** The entry's server has sent a datagram. */
  reply(id: ConnId, bytes: number): void;
}

/** Relays datagrams: per entry one socket to its server, so that replies find their client. */
export type UdpRelay = Relay;
