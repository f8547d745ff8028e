import { type Address, AF_INET, formatAddress, ipv6 } from '../../src/core/address.ts';
import { METHOD, PROTOCOL } from '../../src/core/config.ts';
import type { Director } from '../../src/core/director.ts';
import { HOOK, type Hook, VERDICT } from '../../src/core/verdict.ts';
import { ICMP_TYPE } from '../../src/core/wire/icmp.ts';
import { ICMPV6_TYPE } from '../../src/core/wire/icmpv6.ts';
import { address } from '../support/core.ts';
import { icmpPacketOf, packetOf, type Segment } from '../support/core-packets.ts';

/** What takes packets: a host's TCP and UDP. */
export interface Station {
  receive(segment: Segment): void;
  /** Learns that a packet it sent cannot be delivered. */
  unreachable(sent: Segment): void;
}

/** A mark that the director's machine puts on arriving packets. */
export interface MarkRule {
  readonly net: Address;
  readonly prefix: number;
  /** 0: any. */
  readonly protocol: number;
  /** Empty: any. */
  readonly ports: readonly number[];
  readonly mark: number;
}

/** Types and codes of "port unreachable". */
const PORT_UNREACHABLE = {
  4: [ICMP_TYPE.DESTINATION_UNREACHABLE, 3],
  6: [ICMPV6_TYPE.DESTINATION_UNREACHABLE, 4],
} as const;

const DIRECTOR_ADDRESSES = ['10.0.0.1', '10.0.0.254', '10.2.0.254', 'fd00::1', 'fd00::fe', 'fd00:2::fe'];
/** Virtual addresses, from which servers answer on a way past the director. */
const VIPS = ['10.0.0.1', 'fd00::1'];

/**
 * The recordings' network with the core in its middle: clients, director, servers rs1 ... rsN, and servers that never
 * answer. A packet is delivered with all that follows from it before `fromClient` and the others return. In the
 * forwarders' place stands a translation of addresses and ports.
 */
export class Network {
  readonly clients: Station;
  readonly local: Station;
  readonly marks: MarkRule[] = [];
  now = 0;
  private lastSent: Segment | undefined;
  private lastBytes: Uint8Array = new Uint8Array(0);
  private readonly director: Director;
  private readonly servers: ReadonlyMap<string, Station>;

  /** @param makeStation makes the hosts' stations; they send by `fromClient`, `fromServer` and `fromLocal` */
  constructor(
    director: Director,
    serverCount: number,
    makeStation: (name: string, send: (segment: Segment) => void) => Station,
  ) {
    this.director = director;
    this.clients = makeStation('cli', (segment) => this.fromClient(segment));
    this.local = makeStation('dir', (segment) => this.fromLocal(segment));
    this.servers = new Map(
      Array.from({ length: serverCount }, (_, i) => {
        const station = makeStation(`rs${i + 1}`, (segment) => this.fromServer(segment));
        return [`rs${i + 1}`, station];
      }),
    );
  }

  fromClient(segment: Segment): void {
    // One segment sent many times is built once.
    if (segment !== this.lastSent) {
      this.lastSent = segment;
      this.lastBytes = packetOf(segment);
    }
    const verdict = this.ask(this.lastBytes, HOOK.LOCAL_IN, this.markOf(segment));
    if (verdict === VERDICT.TRANSMIT) this.transmit(segment);
    else if (verdict === VERDICT.REJECT) this.reject(segment);
    else if (verdict === VERDICT.PASS) this.deliver(this.local, segment);
  }

  /** From a real server: past the director if it goes out under a virtual address. */
  fromServer(segment: Segment): void {
    if (VIPS.includes(formatAddress(segment.src))) {
      this.toClient(segment);
      return;
    }
    const isLocal = this.isDirector(segment.dst);
    const verdict = this.ask(packetOf(segment), isLocal ? HOOK.LOCAL_IN : HOOK.FORWARD, 0);
    if (verdict === VERDICT.REPLY) this.toClient(this.translated(segment));
    else if (verdict === VERDICT.PASS && !isLocal) this.toClient(segment);
  }

  /** From the director's own stack to a client. */
  fromLocal(segment: Segment): void {
    const verdict = this.ask(packetOf(segment), HOOK.LOCAL_OUT, 0);
    if (verdict === VERDICT.REPLY) this.toClient(this.translated(segment));
    else if (verdict === VERDICT.PASS) this.toClient(segment);
  }

  /** A station that has no listener for a datagram says so by ICMP. */
  private deliver(station: Station, sent: Segment): void {
    if (sent.protocol !== PROTOCOL.UDP || isListening(sent)) station.receive(sent);
    else if (station === this.local) this.refuse(sent, HOOK.LOCAL_OUT);
    else if (VIPS.includes(formatAddress(sent.dst))) this.clients.unreachable(sent);
    else this.refuse(sent, HOOK.FORWARD);
  }

  /** The ICMP message passes the director as a reply would. */
  private refuse(sent: Segment, hook: Hook): void {
    const [type, code] = PORT_UNREACHABLE[sent.src.family === AF_INET ? 4 : 6];
    const message = icmpPacketOf({ src: sent.dst, dst: sent.src }, type, code, packetOf(sent));
    const verdict = this.ask(message, hook, 0);
    if (verdict === VERDICT.PASS) this.clients.unreachable(sent);
    if (verdict !== VERDICT.REPLY_ICMP) return;
    const id = this.director.packetConn;
    if (this.director.target(id).method !== METHOD.MASQ) {
      this.clients.unreachable(sent);
      return;
    }
    const { conns } = this.director.life;
    this.clients.unreachable({ ...sent, dst: conns.vaddr(id), dport: conns.vport(id) });
  }

  /** Hand-made packets come from clients that never answer. */
  private toClient(segment: Segment): void {
    if (!isSilent(segment.dst)) this.clients.receive(segment);
  }

  /** A host can only send ICMP errors from an address of its own: not for what a mark brought to it. */
  private reject(segment: Segment): void {
    if (this.isDirector(segment.dst)) this.clients.unreachable(segment);
  }

  private transmit(segment: Segment): void {
    const { daddr, dport, method } = this.director.target(this.director.packetConn);
    const sent = method === METHOD.MASQ ? { ...segment, dst: daddr, dport } : segment;
    const station = this.isDirector(daddr) ? this.local : this.serverAt(daddr);
    if (station) this.deliver(station, sent);
  }

  /** What the client sees of a server's packet. */
  private translated(segment: Segment): Segment {
    const id = this.director.packetConn;
    if (this.director.target(id).method !== METHOD.MASQ) return segment;
    const { conns } = this.director.life;
    return { ...segment, src: conns.vaddr(id), sport: conns.vport(id) };
  }

  private ask(bytes: Uint8Array, hook: Hook, mark: number): number {
    this.director.expire(this.now);
    return this.director.packet(bytes, 0, bytes.length, hook, mark, this.now);
  }

  private isDirector(host: Address): boolean {
    const text = formatAddress(host);
    return DIRECTOR_ADDRESSES.includes(text) || text.startsWith('127.');
  }

  private serverAt(host: Address): Station | undefined {
    const isV4 = host.family === AF_INET;
    const number = host.words[isV4 ? 0 : 3] & (isV4 ? 255 : 0xffff);
    const expected = isV4 ? address(`10.2.0.${number}`) : ipv6(0xfd000002 | 0, 0, 0, number);
    return formatAddress(expected) === formatAddress(host) ? this.servers.get(`rs${number}`) : undefined;
  }

  private markOf({ protocol, dst, dport }: Segment): number {
    const isFor = ({ net, prefix, ...rule }: MarkRule): boolean =>
      dst.family === AF_INET &&
      (dst.words[0] ^ net.words[0]) >>> (32 - prefix) === 0 &&
      (rule.protocol === 0 || rule.protocol === protocol) &&
      (rule.ports.length === 0 || rule.ports.includes(dport));
    return this.marks.find(isFor)?.mark ?? 0;
  }
}

/** 10.3.0.0/16. */
const isSilent = ({ family, words }: Address): boolean => family === AF_INET && words[0] >>> 16 === 0x0a03;

const TCP_PORTS = [80, 443, 8080];
const UDP_PORTS = [53, 80, 5353];

/** Whether every host of the recordings has a listener there. */
export const isListening = ({ protocol, dport }: Segment): boolean =>
  protocol === PROTOCOL.TCP
    ? TCP_PORTS.includes(dport)
    : protocol === PROTOCOL.UDP && UDP_PORTS.includes(dport);
