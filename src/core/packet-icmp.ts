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

const NONE = -1;

/** ICMP and ICMPv6 errors, by the packet that they quote (ip_vs_in_icmp, ip_vs_out_icmp). */
export class PacketIcmp {
  private readonly quoted = new PacketView();
  private readonly parts: PacketParts;
  private readonly path: PacketPath;

  constructor(parts: PacketParts, path: PacketPath) {
    this.parts = parts;
    this.path = path;
  }

  /** @param view an ICMP message; only errors about TCP, UDP and SCTP packets belong to IPVS */
  packet(view: PacketView, hook: Hook, fwmark: number, now: number): Verdict {
    if (view.end - view.transport < ICMP_HEADER_LEN) return this.path.drops.drop('malformed_transport');
    const type = icmpType(view.bytes, view.transport);
    if (!(view.isV6 ? isIcmpv6Error(type) : isIcmpError(type)) || !this.readQuoted(view)) return VERDICT.PASS;
    // A packet to be forwarded is looked at as a client's first, any other as a server's.
    if (hook === HOOK.FORWARD) {
      const toServer = this.fromClient(view, fwmark, now);
      return toServer === VERDICT.PASS ? this.fromServer(view) : toServer;
    }
    const toClient = this.fromServer(view);
    return toClient === VERDICT.PASS ? this.fromClient(view, fwmark, now) : toClient;
  }

  private readQuoted(view: PacketView): boolean {
    const { quoted } = this;
    const at = view.transport + ICMP_HEADER_LEN;
    if (quoted.read(view.bytes, at, view.end, true) !== READING.WHOLE || quoted.isV6 !== view.isV6)
      return false;
    const { protocol } = quoted;
    if (protocol !== PROTOCOL.TCP && protocol !== PROTOCOL.UDP && protocol !== PROTOCOL.SCTP) return false;
    return quoted.readQuotedPorts() === READING.WHOLE;
  }

  /** An error about a reply: the quoted packet went from the service to the client. */
  private fromClient(view: PacketView, fwmark: number, now: number): Verdict {
    if (this.path.isBackupOnly) return VERDICT.PASS;
    const { quoted } = this;
    const { entries, settings } = this.parts;
    const { conns } = entries.life;
    let id = conns.findIn(quoted.protocol, quoted.dst, quoted.dport, quoted.src, quoted.sport);
    const isNew = id === NONE;
    if (isNew) {
      if (settings.numbers.schedule_icmp === 0) return VERDICT.PASS;
      const verdict = this.admit(fwmark, now);
      if (verdict !== VERDICT.TRANSMIT) return verdict;
      id = this.path.conn;
    }
    if (!this.isSound(view)) return this.path.drops.drop('bad_icmp_checksum');
    const before = conns.inPackets[id]!;
    entries.count(id, DIRECTION.INPUT, 1, view.lengthBytes);
    if (this.isMasq(id)) conns.inPackets[id] = before;
    if (isNew) entries.life.put(id, now);
    this.path.conn = id;
    return VERDICT.TRANSMIT_ICMP;
  }

  private admit(fwmark: number, now: number): Verdict {
    const { quoted } = this;
    const { entries, defence } = this.parts;
    const service = entries.services.lookup(quoted.protocol, quoted.src, quoted.sport, fwmark);
    if (!service) return VERDICT.PASS;
    if (defence.dropsPacket()) return this.path.drops.drop('drop_packet_defence');
    return this.path.schedule(service, flowOf(quoted, true, fwmark), true, now);
  }

  /** An error about a request: the quoted packet went from the client to the server. */
  private fromServer(view: PacketView): Verdict {
    const { quoted } = this;
    const { entries } = this.parts;
    const { conns } = entries.life;
    const id = conns.findOut(quoted.protocol, quoted.src, quoted.sport, quoted.dst, quoted.dport);
    if (id === NONE) return VERDICT.PASS;
    if (!this.isSound(view)) return this.path.drops.drop('bad_icmp_checksum');
    entries.count(id, DIRECTION.OUTPUT, 1, view.lengthBytes);
    this.path.conn = id;
    return VERDICT.REPLY_ICMP;
  }

  private isMasq(id: ConnId): boolean {
    return (this.parts.entries.life.conns.flags[id]! & CONN_FLAG.METHOD_MASK) === METHOD.MASQ;
  }

  /** Only the sum of ICMP is looked at; of ICMPv6 the host has done it. */
  private isSound(view: PacketView): boolean {
    if (view.src.family !== AF_INET) return true;
    return isIntact(view.bytes, view.transport, view.end - view.transport);
  }
}
