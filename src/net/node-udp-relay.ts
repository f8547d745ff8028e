import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { type Address, AF_INET6, type Family, formatAddress } from '../core/address.ts';
import type { ConnId } from '../core/flow.ts';
import { IdleList, type Idling } from './idle-list.ts';
import type { NodeRelayOptions } from './node-tcp-relay.ts';
import { peerAddress } from './peer-address.ts';
import type { RelayListener, UdpRelay, UdpRelayEvents } from './relay.ts';

/** Bytes asked for as receive buffer of a virtual service's socket; the kernel clamps to net.core.rmem_max. */
const RECEIVE_BUFFER_BYTES = 4 << 20;

/** Bytes a socket may have waiting for the kernel before datagrams for it are dropped. */
const SEND_QUEUE_BYTES = 256 << 10;

export interface NodeUdpOptions extends NodeRelayOptions<UdpRelayEvents> {
  /** How many sockets to servers may be open. */
  readonly socketsMax: number;
}

/** UDP relay on Node's own loop, by node:dgram. */
export class NodeUdpRelay implements UdpRelay {
  private readonly options: NodeUdpOptions;
  private readonly flows = new Map<ConnId, UdpFlow>();
  private readonly byIdleness = new IdleList<UdpFlow>();
  private readonly listeners = new Set<NodeUdpListener>();

  constructor(options: NodeUdpOptions) {
    this.options = options;
  }

  get size(): number {
    return this.flows.size;
  }

  async listen(addr: Address, port: number): Promise<RelayListener> {
    const listener = await bindListener(addr, port, {
      message: (data, from) => this.onDatagram(listener, data, from),
      error: () => {
        this.options.counters.udp_errors++;
      },
      closed: () => this.forget(listener),
    });
    this.listeners.add(listener);
    return listener;
  }

  abort(id: ConnId): boolean {
    const flow = this.flows.get(id);
    if (flow !== undefined) this.close(flow);
    return flow !== undefined;
  }

  bufferedBytes(): number {
    let bytes = 0;
    for (const listener of this.listeners) bytes += listener.socket.getSendQueueSize();
    for (const flow of this.flows.values()) bytes += flow.socket.getSendQueueSize();
    return bytes;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.listeners].map((listener) => listener.close()));
  }

  private onDatagram(listener: NodeUdpListener, data: Buffer, from: RemoteInfo): void {
    const { counters, events } = this.options;
    const caddr = peerAddress(from.address);
    if (caddr === undefined) return;
    counters.udp_datagrams_in++;
    const id = events.datagram(caddr, from.port, listener.addr, listener.port, data.length);
    if (id < 0) {
      counters.udp_refused++;
      return;
    }
    const known = this.flows.get(id);
    const flow = known ?? this.openFlow(id, listener, from);
    if (flow === undefined || flow.socket.getSendQueueSize() > SEND_QUEUE_BYTES) {
      counters.udp_dropped++;
      return;
    }
    if (known !== undefined) this.byIdleness.touch(known);
    flow.socket.send(data);
  }

  private onReply(flow: UdpFlow, data: Buffer): void {
    const { counters, events } = this.options;
    events.reply(flow.id, data.length);
    // The core may have ended the entry.
    if (this.flows.get(flow.id) !== flow) return;
    this.byIdleness.touch(flow);
    const { socket } = flow.listener;
    if (socket.getSendQueueSize() > SEND_QUEUE_BYTES) {
      counters.udp_dropped++;
      return;
    }
    counters.udp_datagrams_out++;
    socket.send(data, flow.clientPort, flow.clientAddress);
  }

  private openFlow(id: ConnId, listener: NodeUdpListener, from: RemoteInfo): UdpFlow | undefined {
    const { counters, descriptors, events, socketsMax } = this.options;
    while (this.flows.size >= socketsMax && this.evict());
    if (descriptors.free === 0) this.evict();
    if (!descriptors.take(1)) return undefined;
    const { daddr, dport } = events.target(id);
    let socket = connectedSocket(daddr, dport);
    // The rest of the process has eaten the reserve: one of ours makes room.
    if (socket === undefined && this.evict()) socket = connectedSocket(daddr, dport);
    if (socket === undefined) {
      counters.udp_errors++;
      descriptors.give(1);
      return undefined;
    }
    const flow = new UdpFlow(id, socket, listener, from);
    socket.on('message', (data) => this.onReply(flow, data));
    // ICMP port unreachable shows as ECONNREFUSED; the server may be there for the next datagram.
    socket.on('error', () => {
      counters.udp_errors++;
    });
    this.flows.set(id, flow);
    this.byIdleness.add(flow);
    return flow;
  }

  /** Closes the server socket that has been idle for longest. @returns false if there is none. */
  private evict(): boolean {
    const flow = this.byIdleness.longestIdle();
    if (flow === undefined) return false;
    this.options.counters.udp_sockets_evicted++;
    this.close(flow);
    return true;
  }

  private close(flow: UdpFlow): void {
    this.flows.delete(flow.id);
    this.byIdleness.remove(flow);
    this.options.descriptors.give(1);
    flow.socket.close();
  }

  private forget(listener: NodeUdpListener): void {
    this.listeners.delete(listener);
    for (const flow of [...this.flows.values()]) if (flow.listener === listener) this.close(flow);
  }
}

class UdpFlow implements Idling {
  readonly id: ConnId;
  readonly socket: Socket;
  readonly listener: NodeUdpListener;
  readonly clientAddress: string;
  readonly clientPort: number;
  older: Idling | undefined = undefined;
  younger: Idling | undefined = undefined;

  constructor(id: ConnId, socket: Socket, listener: NodeUdpListener, client: RemoteInfo) {
    this.id = id;
    this.socket = socket;
    this.listener = listener;
    this.clientAddress = client.address;
    this.clientPort = client.port;
  }
}

interface ListenerHandlers {
  message(data: Buffer, from: RemoteInfo): void;
  error(): void;
  closed(): void;
}

class NodeUdpListener implements RelayListener {
  readonly addr: Address;
  readonly port: number;
  readonly socket: Socket;
  readonly failure = undefined;
  private readonly closed: () => void;

  constructor(addr: Address, socket: Socket, closed: () => void) {
    this.addr = addr;
    this.port = socket.address().port;
    this.socket = socket;
    this.closed = closed;
  }

  close(): Promise<void> {
    this.closed();
    return new Promise((resolve) => {
      this.socket.close(resolve);
    });
  }
}

function bindListener(addr: Address, port: number, handlers: ListenerHandlers): Promise<NodeUdpListener> {
  const socket = newSocket(addr.family, RECEIVE_BUFFER_BYTES);
  return new Promise((resolve, reject) => {
    const refused = (error: Error): void => {
      socket.close();
      reject(error);
    };
    socket.once('error', refused);
    socket.once('listening', () => {
      socket.removeListener('error', refused);
      socket.on('error', handlers.error);
      socket.on('message', handlers.message);
      resolve(new NodeUdpListener(addr, socket, handlers.closed));
    });
    socket.bind({ address: formatAddress(addr), port, exclusive: true });
  });
}

/** @returns a socket that hears only the given peer, or `undefined` if the system gives none. */
function connectedSocket(addr: Address, port: number): Socket | undefined {
  const socket = newSocket(addr.family, undefined);
  let failed = false;
  socket.on('error', () => {
    failed = true;
  });
  socket.bind({ port: 0, exclusive: true });
  try {
    // After a bind that failed `connect` would wait for another one, and `close` for that.
    if (!failed) socket.connect(port, formatAddress(addr));
    // Throws unless connected: the error event of `connect` would come later.
    socket.remoteAddress();
  } catch {
    socket.close();
    return undefined;
  }
  return socket;
}

/** With a look-up that answers at once, `bind`, `connect` and `send` to an address need no turn of the loop. */
function newSocket(family: Family, recvBufferSize: number | undefined): Socket {
  const numeric = family === AF_INET6 ? 6 : 4;
  return createSocket({
    type: family === AF_INET6 ? 'udp6' : 'udp4',
    ipv6Only: family === AF_INET6,
    ...(recvBufferSize === undefined ? {} : { recvBufferSize }),
    lookup: (host, _options, answer) => answer(null, host, numeric),
  });
}
