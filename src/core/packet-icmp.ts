import { AF_INET } from './address.ts';
import { METHOD, PROTOCOL } from './config.ts';
import { CONN_FLAG } from './conn-flags.ts';
import { type ConnId, DIRECTION } from './flow.ts';
import type { PacketParts, PacketPath } from './packet-path.ts';
import { flowOf, PacketView, READING } from './packet-view.ts';
import { HOOK, type Hook, VERDICT, type Verdict } from './verdict.ts';
import { isIntact } from './wire/checksum.ts';
import { ICMP_HEADER_LEN, icmpType, isIcmpError } from './wire/icmp.ts';
import { isIcmpv6Error } from './wire/icmpv6.ts';
import { IPV4_FRAGMENT, ipv4Fragment } from './wire/ipv4.ts';
import { fragmentOffset, HeaderChain } from './wire/ipv6-fragment.ts';

const ESP = 50;
const AH = 51;
/** Key exchange, whose entry AH and ESP follow. */
const ISAKMP_PORT = 500;

const NONE = -1;

/** ICMP and ICMPv6 errors, by the packet that they quote (ip_vs_in_icmp, ip_vs_out_icmp). */
export class PacketIcmp {
  private readonly quoted = new PacketView();
  /** Of the quoted packet's entry: AH and ESP have that of a UDP port. */
  private protocol = 0;
  private readonly chain = new HeaderChain();
  private readonly parts: PacketParts;
  private readonly path: PacketPath;

  constructor(parts: PacketParts, path: PacketPath) {
    this.parts = parts;
    this.path = path;
  }

  /** @param view an ICMP message; only errors about TCP, UDP, SCTP, AH and ESP packets belong to IPVS */
  packet(view: PacketView, hook: Hook, fwmark: number, now: number): Verdict {
    if (view.end - view.transport < ICMP_HEADER_LEN) return this.path.drops.drop('malformed_transport');
    const type = icmpType(view.bytes, view.transport);
    if (!(view.isV6 ? isIcmpv6Error(type) : isIcmpError(type)) || !this.readQuoted(view)) return VERDICT.PASS;
    // A packet to be forwarded is looked at as a client's first, any other as a server's.
    if (hook === HOOK.FORWARD) {
      const toServer = this.fromClient(view, hook, fwmark, now);
      return toServer === VERDICT.PASS ? this.fromServer(view) : toServer;
    }
    const toClient = this.fromServer(view);
    return toClient === VERDICT.PASS ? this.fromClient(view, hook, fwmark, now) : toClient;
  }

  private readQuoted(view: PacketView): boolean {
    const { quoted } = this;
    const at = view.transport + ICMP_HEADER_LEN;
    const reading = quoted.read(view.bytes, at, view.end, true);
    if (reading === READING.MALFORMED || quoted.isV6 !== view.isV6) return false;
    // A router that drops a first fragment quotes that; of a later one nobody can say whose it is.
    if (reading === READING.FRAGMENT && this.isLaterFragment()) return false;
    const { protocol } = quoted;
    if (protocol === ESP || protocol === AH) {
      this.protocol = PROTOCOL.UDP;
      quoted.sport = ISAKMP_PORT;
      quoted.dport = ISAKMP_PORT;
      return true;
    }
    this.protocol = protocol;
    if (protocol !== PROTOCOL.TCP && protocol !== PROTOCOL.UDP && protocol !== PROTOCOL.SCTP) return false;
    return quoted.readQuotedPorts() === READING.WHOLE;
  }

  private isLaterFragment(): boolean {
    const { quoted, chain } = this;
    const { bytes, at, end } = quoted;
    if (!quoted.isV6) return (ipv4Fragment(bytes, at) & IPV4_FRAGMENT.OFFSET) !== 0;
    return chain.toFragmentHeader(bytes, at, end) && fragmentOffset(bytes, chain.header) !== 0;
  }

  /** An error about a reply: the quoted packet went from the service to the client. */
  private fromClient(view: PacketView, hook: Hook, fwmark: number, now: number): Verdict {
    if (this.path.isBackupOnly) return VERDICT.PASS;
    const { quoted } = this;
    const { entries, settings } = this.parts;
    const { conns } = entries.life;
    let id = conns.findIn(this.protocol, quoted.dst, quoted.dport, quoted.src, quoted.sport);
    if (id === NONE) {
      if (settings.numbers.schedule_icmp === 0) return VERDICT.PASS;
      const verdict = this.admit(hook, fwmark, now);
      if (verdict !== VERDICT.TRANSMIT) return verdict;
      id = this.path.conn;
      this.path.conn = NONE;
      entries.life.put(id, now);
    }
    if (this.path.isOfSockets(id)) return VERDICT.PASS;
    if (!this.isSound(view)) return this.path.drops.drop('bad_icmp_checksum');
    // The host's own ICMPv6 errors go their way, and are not counted (ip_vs_in_icmp_v6).
    if (view.isV6 && hook === HOOK.LOCAL_OUT && !this.isMasq(id)) return VERDICT.PASS;
    entries.count(id, DIRECTION.INPUT, 1, view.lengthBytes);
    if (this.isMasq(id)) conns.addInPackets(id, -1);
    this.path.conn = id;
    return VERDICT.TRANSMIT_ICMP;
  }

  private admit(hook: Hook, fwmark: number, now: number): Verdict {
    const { quoted } = this;
    const { entries, defence } = this.parts;
    if (quoted.protocol !== this.protocol) return VERDICT.PASS;
    const service = entries.services.lookup(quoted.protocol, quoted.src, quoted.sport, fwmark);
    if (!service || service.isProxied) return VERDICT.PASS;
    if (defence.dropsPacket()) return this.path.drops.drop('drop_packet_defence');
    if (hook === HOOK.LOCAL_OUT && this.isAboutRequest()) return VERDICT.PASS;
    return this.path.schedule(service, flowOf(quoted, true, fwmark), true, now);
  }

  /** Whether the quoted packet is a client's of an entry that there is: what quotes it opens none. */
  private isAboutRequest(): boolean {
    const { quoted, protocol } = this;
    const { conns } = this.parts.entries.life;
    return conns.findIn(protocol, quoted.src, quoted.sport, quoted.dst, quoted.dport) !== NONE;
  }

  /** An error about a request: the quoted packet went from the client to the server. */
  private fromServer(view: PacketView): Verdict {
    const { quoted } = this;
    const { entries } = this.parts;
    const { conns } = entries.life;
    const id = conns.findOut(this.protocol, quoted.src, quoted.sport, quoted.dst, quoted.dport);
    if (id === NONE || this.path.isOfSockets(id)) return VERDICT.PASS;
    // What is not translated is not looked at: its receiver will.
    if (this.isMasq(id) && !this.isSound(view)) return this.path.drops.drop('bad_icmp_checksum');
    entries.count(id, DIRECTION.OUTPUT, 1, view.lengthBytes);
    this.path.conn = id;
    return VERDICT.REPLY_ICMP;
  }

  private isMasq(id: ConnId): boolean {
    return (this.parts.entries.life.conns.flags(id) & CONN_FLAG.METHOD_MASK) === METHOD.MASQ;
  }

  /** Only the sum of ICMP is looked at; of ICMPv6 the host has done it. */
  private isSound(view: PacketView): boolean {
    if (view.src.family !== AF_INET) return true;
    return isIntact(view.bytes, view.transport, view.end - view.transport);
  }
}
