import { createServer, type Server, type Socket } from 'node:net';
import { type Address, AF_INET6, formatAddress } from '../core/address.ts';
import type { ConnId } from '../core/flow.ts';
import type { DescriptorBudget } from './descriptors.ts';
import { type FlowOwner, NodeTcpFlow, resetSocket } from './node-tcp-flow.ts';
import { peerAddress } from './peer-address.ts';
import type { ProxyCounters } from './proxy-counters.ts';
import type { RelayListener, TcpRelay, TcpRelayEvents } from './relay.ts';

/** A client's socket and its server's. */
const DESCRIPTORS_PER_FLOW = 2;

/** Accepting goes on when this many (at most a quarter of all) are free, or it would stop and start with each flow. */
const DESCRIPTORS_TO_RESUME = 16;

const RESUME_INTERVAL_MS = 100;

/** At most one line per minute about a shortage. */
const LOG_INTERVAL_MS = 60_000;

/** Connections the kernel keeps until they are accepted; it clamps to net.core.somaxconn. */
const BACKLOG = 4096;

export interface NodeRelayOptions<Events> {
  readonly events: Events;
  readonly descriptors: DescriptorBudget;
  readonly counters: ProxyCounters;
  readonly now: () => number;
  readonly log: (message: string) => void;
}

/** TCP relay on Node's own loop, by node:net. */
export class NodeTcpRelay implements TcpRelay, FlowOwner {
  readonly events: TcpRelayEvents;
  private readonly options: NodeRelayOptions<TcpRelayEvents>;
  private readonly flows = new Map<ConnId, NodeTcpFlow>();
  private readonly listeners = new Set<NodeTcpListener>();
  /** Flows with a descriptor left, also those that have lost their id to a younger one. */
  private openFlows = 0;
  private resumeTimer: NodeJS.Timeout | undefined;
  private loggedAt = -LOG_INTERVAL_MS;
  private onIdle: (() => void) | undefined;

  constructor(options: NodeRelayOptions<TcpRelayEvents>) {
    this.options = options;
    this.events = options.events;
  }

  get size(): number {
    return this.openFlows;
  }

  ids(): Iterable<ConnId> {
    return this.flows.keys();
  }

  async listen(addr: Address, port: number): Promise<RelayListener> {
    const listener = new NodeTcpListener(addr, port, {
      accept: (client) => this.accept(listener, client),
      closed: () => this.listeners.delete(listener),
    });
    await listener.open();
    this.listeners.add(listener);
    return listener;
  }

  hold(id: ConnId, held: boolean): void {
    this.flows.get(id)?.hold(held);
  }

  abort(id: ConnId): boolean {
    const flow = this.flows.get(id);
    if (flow === undefined) return false;
    this.flows.delete(id);
    flow.abort();
    return true;
  }

  bufferedBytes(): number {
    let bytes = 0;
    for (const flow of this.flows.values()) bytes += flow.bufferedBytes;
    return bytes;
  }

  async stop(): Promise<void> {
    clearTimeout(this.resumeTimer);
    this.resumeTimer = undefined;
    await Promise.all([...this.listeners].map((listener) => listener.close()));
    for (const id of [...this.flows.keys()]) this.abort(id);
    if (this.openFlows === 0) return;
    await new Promise<void>((resolve) => {
      this.onIdle = resolve;
    });
  }

  sideClosed(flow: NodeTcpFlow, last: boolean): void {
    this.options.descriptors.give(1);
    if (!last) return;
    if (flow.endedInOrder) this.options.counters.tcp_ended++;
    if (this.flows.get(flow.id) === flow) this.flows.delete(flow.id);
    this.openFlows--;
    if (this.openFlows === 0) this.onIdle?.();
  }

  connectFailed(code: string): void {
    if (code === 'EMFILE' || code === 'ENFILE') this.pauseAccepting();
  }

  private accept(listener: NodeTcpListener, client: Socket): void {
    const caddr = client.remoteAddress === undefined ? undefined : peerAddress(client.remoteAddress);
    // Without a peer the client is gone already; an error of such a socket says nothing new.
    if (caddr === undefined) {
      client.on('error', () => {});
      client.destroy();
      return;
    }
    if (!this.options.descriptors.take(DESCRIPTORS_PER_FLOW)) {
      this.refuse(client);
      this.pauseAccepting();
      return;
    }
    const id = this.events.accepted(caddr, client.remotePort!, listener.addr, listener.port);
    if (id < 0) {
      this.options.descriptors.give(DESCRIPTORS_PER_FLOW);
      this.refuse(client);
      return;
    }
    // The client's port can only be here again if its former connection is dead, though we have not seen that yet.
    this.abort(id);
    this.openFlows++;
    this.flows.set(id, new NodeTcpFlow(id, client, this));
    if (this.options.descriptors.free < DESCRIPTORS_PER_FLOW) this.pauseAccepting();
  }

  private refuse(client: Socket): void {
    client.on('error', () => {});
    resetSocket(client);
  }

  /** node:net cannot leave clients in the backlog, so the listeners are closed and opened again. */
  private pauseAccepting(): void {
    const listening = [...this.listeners].filter((listener) => !listener.paused);
    if (listening.length === 0) return;
    for (const listener of listening) listener.pause();
    this.options.counters.tcp_accept_pauses++;
    const now = this.options.now();
    if (now - this.loggedAt >= LOG_INTERVAL_MS) {
      this.loggedAt = now;
      this.options.log(`out of descriptors with ${this.openFlows} TCP flows open: accepting is paused`);
    }
    this.resumeTimer ??= setInterval(() => this.resumeAccepting(), RESUME_INTERVAL_MS).unref();
  }

  private resumeAccepting(): void {
    const { free, limit } = this.options.descriptors;
    const enough = Math.min(DESCRIPTORS_TO_RESUME, limit >> 2);
    if (free < Math.max(DESCRIPTORS_PER_FLOW, enough)) return;
    for (const listener of this.listeners) void listener.resume();
    if ([...this.listeners].some((listener) => listener.paused)) return;
    clearInterval(this.resumeTimer);
    this.resumeTimer = undefined;
  }
}

interface ListenerOwner {
  accept(client: Socket): void;
  closed(): void;
}

class NodeTcpListener implements RelayListener {
  readonly addr: Address;
  port: number;
  failure: string | undefined;
  paused = false;
  private closing = false;
  private opening = false;
  private readonly owner: ListenerOwner;
  private server: Server | undefined;

  constructor(addr: Address, port: number, owner: ListenerOwner) {
    this.addr = addr;
    this.port = port;
    this.owner = owner;
  }

  open(): Promise<void> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
    server.on('connection', (client) => this.owner.accept(client));
    this.server = server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      const where = {
        host: formatAddress(this.addr),
        port: this.port,
        ipv6Only: this.addr.family === AF_INET6,
      };
      server.listen({ ...where, backlog: BACKLOG, exclusive: true }, () => {
        server.removeListener('error', reject);
        // libuv reports no lasting error of a listener; should one come, the process must not die of it.
        server.on('error', (error: NodeJS.ErrnoException) => {
          this.failure = error.code ?? 'EIO';
        });
        const bound = server.address();
        if (bound !== null && typeof bound === 'object') this.port = bound.port;
        resolve();
      });
    });
  }

  pause(): void {
    this.paused = true;
    // The callback would wait for all accepted sockets; the listening one is closed at once.
    this.server?.close();
    this.server = undefined;
  }

  async resume(): Promise<void> {
    if (!this.paused || this.closing || this.opening) return;
    this.opening = true;
    try {
      await this.open();
      this.paused = false;
      this.failure = undefined;
      if (this.closing) this.pause();
    } catch (error) {
      this.server = undefined;
      this.failure = (error as NodeJS.ErrnoException).code ?? 'EIO';
    } finally {
      this.opening = false;
    }
  }

  async close(): Promise<void> {
    this.closing = true;
    if (!this.opening) this.pause();
    this.owner.closed();
  }
}
