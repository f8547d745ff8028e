import { type Address, formatAddress } from '../../src/core/address.ts';
import { PROTOCOL } from '../../src/core/config.ts';
import { TCP_FLAG } from '../../src/core/wire/tcp.ts';
import type { Segment } from '../support/core-packets.ts';
import { isListening, type Station } from './network.ts';

const { SYN, FIN, RST, PSH, ACK } = TCP_FLAG;
/** Header with the options that Linux sends: with SYN, and later (time stamps). */
const SYN_HEADER = 40;
const HEADER = 32;

interface Endpoint {
  readonly addr: Address;
  readonly port: number;
}

/** One end of a TCP connection. */
export class Socket {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** The peer answered the SYN, or its SYN was answered. */
  isOpen = false;
  /** Reset or refused: what the next call would say. */
  error: string | undefined;
  /** Bytes that arrived and were not taken. */
  received = 0;
  text = '';
  /** Bytes sent and never acknowledged; sent again with the next ones. */
  unacknowledged = 0;
  sentFin = false;
  gotFin = false;
  isGone = false;

  constructor(local: Endpoint, remote: Endpoint) {
    this.local = local;
    this.remote = remote;
  }
}

/** TCP and UDP of a host, as far as the recordings use them: sequence numbers and windows are left out. */
export class Host implements Station {
  readonly name: string;
  private readonly send: (segment: Segment) => void;
  private readonly sockets = new Map<string, Socket>();
  /** Servers: what listeners have accepted, by the client's address and port. */
  readonly accepted = new Map<string, Socket>();
  /** A client's open UDP port: what came back. */
  private waiting:
    | { readonly local: Endpoint; readonly remote: Endpoint; answer: string | undefined }
    | undefined;

  constructor(name: string, send: (segment: Segment) => void) {
    this.name = name;
    this.send = send;
  }

  /** @returns what the answer says, `refused`, or `undefined` if nothing came */
  datagram(local: Endpoint, remote: Endpoint, size: number, replySize: number): string | undefined {
    const waiting = { local, remote, answer: undefined as string | undefined };
    this.waiting = waiting;
    const payload = String(replySize).padStart(4, '0').padEnd(size, 'x');
    this.send({ protocol: PROTOCOL.UDP, ...tuple(local, remote), payload });
    this.waiting = undefined;
    return waiting.answer;
  }

  /** Sends one datagram many times and waits for no answer. */
  blast(local: Endpoint, remote: Endpoint, size: number, count: number): void {
    const segment = { protocol: PROTOCOL.UDP, ...tuple(local, remote), payloadLength: size };
    for (let i = 0; i < count; i++) this.send(segment);
  }

  connect(local: Endpoint, remote: Endpoint): Socket {
    const socket = new Socket(local, remote);
    this.sockets.set(keyOf(local, remote), socket);
    this.emit(socket, SYN);
    return socket;
  }

  /** Sends bytes, and those that got no acknowledgement before. */
  write(socket: Socket, bytes: number): void {
    socket.unacknowledged += bytes;
    this.emit(socket, PSH | ACK, 'y'.repeat(socket.unacknowledged));
  }

  /** Ends the host's half. */
  shutdown(socket: Socket): void {
    socket.sentFin = true;
    this.emit(socket, FIN | ACK);
    if (socket.gotFin) this.forget(socket);
  }

  reset(socket: Socket): void {
    this.forget(socket);
    this.emit(socket, RST | ACK);
  }

  forget(socket: Socket): void {
    socket.isGone = true;
    const key = keyOf(socket.local, socket.remote);
    if (this.sockets.get(key) === socket) this.sockets.delete(key);
  }

  receive(segment: Segment): void {
    if (segment.protocol === PROTOCOL.TCP) this.receiveTcp(segment);
    else if (segment.protocol === PROTOCOL.UDP) this.receiveUdp(segment);
  }

  unreachable(sent: Segment): void {
    const socket = this.sockets.get(`${endText(sent.src, sent.sport)} ${endText(sent.dst, sent.dport)}`);
    if (sent.protocol === PROTOCOL.TCP && socket) socket.error = 'refused';
    if (sent.protocol === PROTOCOL.UDP && this.waiting && isBetween(this.waiting, sent, false))
      this.waiting.answer ??= 'refused';
  }

  private receiveUdp(segment: Segment): void {
    if (this.name === 'cli') {
      if (this.waiting && isBetween(this.waiting, segment, true))
        this.waiting.answer = segment.payload?.split('.')[0];
      return;
    }
    const back = { src: segment.dst, sport: segment.dport, dst: segment.src, dport: segment.sport };
    if (!isListening(segment)) return;
    const wanted = Math.max(Number(segment.payload?.slice(0, 4)) || 0, this.name.length);
    this.send({ protocol: PROTOCOL.UDP, ...back, payload: this.name.padEnd(wanted, '.') });
  }

  private receiveTcp(segment: Segment): void {
    const { flags = 0 } = segment;
    const key = `${endText(segment.dst, segment.dport)} ${endText(segment.src, segment.sport)}`;
    const socket = this.sockets.get(key);
    if ((flags & (SYN | ACK)) === SYN && this.name !== 'cli') {
      this.accept(segment, key);
    } else if (!socket) {
      if ((flags & RST) === 0) this.refuse(segment);
    } else if ((flags & RST) !== 0) {
      socket.error = socket.isOpen ? 'reset' : 'refused';
      this.forget(socket);
    } else {
      this.advance(socket, segment);
    }
  }

  private accept(segment: Segment, key: string): void {
    if (!isListening(segment)) {
      this.refuse(segment);
      return;
    }
    // Another connection arrives under the same addresses and ports: the answers to it make the client reset this one.
    const old = this.sockets.get(key);
    if (old?.isOpen && !old.sentFin && !old.gotFin) old.error = 'reset';
    const socket = new Socket(
      { addr: segment.dst, port: segment.dport },
      { addr: segment.src, port: segment.sport },
    );
    this.sockets.set(key, socket);
    this.accepted.set(endText(segment.src, segment.sport), socket);
    this.emit(socket, SYN | ACK);
  }

  private advance(socket: Socket, { flags = 0, payload = '' }: Segment): void {
    const isServer = this.name !== 'cli';
    socket.unacknowledged = 0;
    if ((flags & SYN) !== 0) {
      socket.isOpen = true;
      this.emit(socket, ACK);
      return;
    }
    if (payload !== '') {
      socket.received += payload.length;
      socket.text += payload;
      this.emit(socket, ACK);
    }
    if ((flags & FIN) !== 0) {
      socket.gotFin = true;
      // The program closes its end at once: its FIN carries the acknowledgement.
      if (socket.sentFin) {
        this.emit(socket, ACK);
        this.forget(socket);
      }
    }
    // The handshake's end: the server says its name.
    if (isServer && !socket.isOpen) {
      socket.isOpen = true;
      this.emit(socket, PSH | ACK, `${this.name}\n`);
    }
  }

  private emit(socket: Socket, flags: number, payload = ''): void {
    const tcpHeaderLength = (flags & SYN) !== 0 ? SYN_HEADER : HEADER;
    this.send({
      protocol: PROTOCOL.TCP,
      ...tuple(socket.local, socket.remote),
      flags,
      tcpHeaderLength,
      payload,
    });
  }

  private refuse(segment: Segment): void {
    this.send({
      protocol: PROTOCOL.TCP,
      src: segment.dst,
      sport: segment.dport,
      dst: segment.src,
      dport: segment.sport,
      flags: RST | ACK,
    });
  }
}

const tuple = (from: Endpoint, to: Endpoint): Pick<Segment, 'src' | 'sport' | 'dst' | 'dport'> => ({
  src: from.addr,
  sport: from.port,
  dst: to.addr,
  dport: to.port,
});

export const endText = (addr: Address, port: number): string => `${formatAddress(addr)}:${port}`;

const keyOf = (local: Endpoint, remote: Endpoint): string =>
  `${endText(local.addr, local.port)} ${endText(remote.addr, remote.port)}`;

/** Whether a packet runs between these ends: towards `local`, or away from it. */
function isBetween(
  { local, remote }: { readonly local: Endpoint; readonly remote: Endpoint },
  segment: Segment,
  towards: boolean,
): boolean {
  const [from, to] = towards ? [remote, local] : [local, remote];
  return (
    endText(segment.src, segment.sport) === endText(from.addr, from.port) &&
    endText(segment.dst, segment.dport) === endText(to.addr, to.port)
  );
}
