import { connect, type Socket } from 'node:net';
import { formatAddress } from '../core/address.ts';
import { type ConnId, DIRECTION, type Direction } from '../core/flow.ts';
import type { TcpRelayEvents } from './relay.ts';

/** Errors by which a socket says that its peer has reset the connection. */
const RESET_CODES: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE']);

/** What a flow needs of its relay. */
export interface FlowOwner {
  readonly events: TcpRelayEvents;
  /** One of the flow's two descriptors is free; `last`: the other one, too. */
  sideClosed(flow: NodeTcpFlow, last: boolean): void;
  /** The connect to a server has failed with `code`. */
  connectFailed(code: string): void;
}

/** A client's connection and the one to its server. The client's has to come paused and half-open. */
export class NodeTcpFlow {
  readonly id: ConnId;
  private readonly owner: FlowOwner;
  private readonly client: Socket;
  private readonly server: Socket;
  private connected = false;
  private held = false;
  /** Ended by a reset or a failure: nothing that the sockets still do counts. */
  private over = false;
  /** The side towards which a direction goes is slow: the other one is not read. */
  private readonly blocked = [false, false];
  private openSides = 2;

  constructor(id: ConnId, client: Socket, owner: FlowOwner) {
    this.id = id;
    this.owner = owner;
    this.client = client;
    const { daddr, dport } = owner.events.target(id);
    this.server = connect({ host: formatAddress(daddr), port: dport, allowHalfOpen: true, noDelay: true });
    this.server.pause();
    this.server.once('connect', () => this.onConnect());
    this.pump(client, this.server, DIRECTION.INPUT);
    this.pump(this.server, client, DIRECTION.OUTPUT);
  }

  /** Neither reset nor failed so far. */
  get endedInOrder(): boolean {
    return !this.over;
  }

  /** Bytes read that wait to be sent. */
  get bufferedBytes(): number {
    const { client, server } = this;
    return client.writableLength + client.readableLength + server.writableLength + server.readableLength;
  }

  hold(held: boolean): void {
    if (this.held === held) return;
    this.held = held;
    if (held) {
      this.client.pause();
      this.server.pause();
    } else {
      this.resumeUnblocked();
    }
  }

  /** Resets both sides without an event. */
  abort(): void {
    this.over = true;
    resetSocket(this.client);
    resetSocket(this.server);
  }

  private pump(from: Socket, to: Socket, direction: Direction): void {
    from.on('data', (chunk: Buffer) => {
      if (this.over) return;
      this.owner.events.data(this.id, direction, chunk.length);
      if (this.over || to.write(chunk)) return;
      this.blocked[direction] = true;
      from.pause();
    });
    to.on('drain', () => {
      this.blocked[direction] = false;
      if (!this.held) from.resume();
    });
    from.once('end', () => {
      if (this.over) return;
      this.owner.events.ended(this.id, direction);
      if (!this.over) to.end();
    });
    // Not once: a reset of a socket that has failed already may report again.
    from.on('error', (error: NodeJS.ErrnoException) => this.onError(direction, error.code ?? 'EIO'));
    from.once('close', () => {
      this.openSides--;
      this.owner.sideClosed(this, this.openSides === 0);
    });
  }

  private onConnect(): void {
    if (this.over) return;
    this.connected = true;
    this.owner.events.connected(this.id);
    if (this.over) return;
    this.held = !this.owner.events.readable(this.id);
    if (!this.held) this.resumeUnblocked();
  }

  private resumeUnblocked(): void {
    if (!this.connected) return;
    if (!this.blocked[DIRECTION.INPUT]) this.client.resume();
    if (!this.blocked[DIRECTION.OUTPUT]) this.server.resume();
  }

  private onError(direction: Direction, code: string): void {
    if (this.over) return;
    const { events } = this.owner;
    // Set first: what the core does about the event must not find a living flow.
    this.over = true;
    if (direction === DIRECTION.OUTPUT && !this.connected) {
      this.owner.connectFailed(code);
      if (code === 'ECONNREFUSED' || code === 'ECONNRESET') events.refused(this.id);
      else events.unreachable(this.id, code);
    } else if (RESET_CODES.has(code)) {
      events.reset(this.id, direction);
    }
    this.abort();
  }
}

/**
 * Closes a socket with a TCP reset. libuv refuses that while a shutdown is under way, and Node would leak the
 * descriptor then; the shutdown ends within a turn of the loop.
 */
export function resetSocket(socket: Socket): void {
  if (socket.destroyed) return;
  socket.pause();
  const shuttingDown = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0;
  if (socket.connecting) {
    socket.destroy();
  } else if (shuttingDown) {
    socket.once('finish', () => {
      if (!socket.destroyed) socket.resetAndDestroy();
    });
  } else {
    socket.resetAndDestroy();
  }
}
