import { isUnicast } from './address-kinds.ts';
import { PROTOCOL } from './config.ts';
import { CONN_FLAG } from './conn-flags.ts';
import type { Connections } from './connections.ts';
import type { Defence } from './defence.ts';
import { DropCounters } from './drop-counters.ts';
import type { EntryPath } from './entry-path.ts';
import { type ConnId, DIRECTION, type Direction, type Flow, NOT_OPENED, TCP_EVENT } from './flow.ts';
import type { Host } from './host.ts';
import { PacketIcmp } from './packet-icmp.ts';
import { flowOf, PacketView, READING, udpPayloadText } from './packet-view.ts';
import { SCTP_EVENT } from './sctp.ts';
import type { Service } from './service.ts';
import type { Services } from './services.ts';
import type { Settings } from './settings.ts';
import { callIdOf } from './sip.ts';
import type { SyncDaemons } from './sync-daemons.ts';
import { HOOK, type Hook, VERDICT, type Verdict } from './verdict.ts';

const ICMP = 1;
const ICMPV6 = 58;
const ESP = 50;
const AH = 51;
/** Key exchange, whose entry AH and ESP follow. */
const ISAKMP_PORT = 500;

const NONE = -1;
/** In place of an entry; none of NOT_OPENED. */
const OF_SOCKETS = -9;

// Copies, quicker to read; see entry-records.ts.
const { TCP, UDP, SCTP } = PROTOCOL;
const { FRAGMENT, MALFORMED } = READING;
const { PASS, REPLY, TRANSMIT } = VERDICT;
const { FORWARD } = HOOK;
const { INPUT, OUTPUT } = DIRECTION;
const { NO_CPORT, PROXIED } = CONN_FLAG;
const NOT_OPENED_DROP = NOT_OPENED.DROP;

/** What `packet` works with. */
export interface PacketParts {
  readonly entries: EntryPath;
  readonly settings: Settings;
  readonly defence: Defence;
  readonly daemons: SyncDaemons;
  readonly host: Host;
}

/** The way of a packet through the director: which entry takes it, and what the host is to do (ip_vs_core.c). */
export class PacketPath {
  readonly drops = new DropCounters();
  /** The entry of the last verdict, -1 if it has none; valid until the next packet. */
  conn: ConnId = NONE;
  private readonly view = new PacketView();
  private readonly parts: PacketParts;
  private readonly entries: EntryPath;
  private readonly conns: Connections;
  private readonly services: Services;
  private readonly numbers: Settings['numbers'];
  private readonly icmp: PacketIcmp;
  /** The entry of a single packet, to go when the next packet or question comes. */
  private spent: ConnId = NONE;

  constructor(parts: PacketParts) {
    this.parts = parts;
    this.entries = parts.entries;
    this.conns = parts.entries.life.conns;
    this.services = parts.entries.services;
    this.numbers = parts.settings.numbers;
    this.icmp = new PacketIcmp(parts, this);
  }

  /** See Director.packet. */
  packet(bytes: Uint8Array, at: number, length: number, hook: Hook, fwmark: number, now: number): Verdict {
    this.conn = NONE;
    if (this.spent !== NONE) this.endSpent(now);
    const { view, services } = this;
    const reading = view.read(bytes, at, at + length, false);
    if (reading === MALFORMED) return this.drops.drop('malformed_ip');
    if ((view.isV6 ? services.ipv6Count : services.ipv4Count) === 0) return PASS;
    const { protocol } = view;
    if (protocol !== TCP && protocol !== UDP && protocol !== SCTP)
      return this.withoutPorts(reading, hook, fwmark, now);
    if (reading === FRAGMENT) return VERDICT.REASSEMBLE;
    if (view.readTransport() === MALFORMED)
      return hook === FORWARD ? PASS : this.drops.drop('malformed_transport');
    const out = this.fromServer(hook, now);
    return out !== PASS || hook === FORWARD ? out : this.fromClient(hook, fwmark, now);
  }

  /**
   * Whether sockets of the director have an entry's flow: its packets are the host's own then. A UDP flow goes over to
   * packets with its service, whose sockets are closed.
   */
  isOfSockets(id: ConnId): boolean {
    const { conns } = this;
    const flags = conns.flags(id);
    if ((flags & PROXIED) === 0) return false;
    if (conns.protocol(id) !== UDP || this.entries.life.destOf(id)?.service.isProxied) return true;
    conns.setFlags(id, flags & ~PROXIED);
    return false;
  }

  /** Ends the entry of a single packet once it is on its way. */
  endSpent(now: number): void {
    if (this.spent === NONE) return;
    const id = this.spent;
    this.spent = NONE;
    this.parts.entries.life.expireNow(id, now);
  }

  get hasSpent(): boolean {
    return this.spent !== NONE;
  }

  /** Whether incoming packets are left alone: a backup that only keeps tables. */
  get isBackupOnly(): boolean {
    return this.numbers.backup_only !== 0 && this.parts.daemons.isBackup;
  }

  /**
   * Makes an entry for a flow to a service that has none.
   * @param flow as the client's packets have it
   * @param isQuoted an ICMP error brought the flow
   * @returns the verdict if there is no entry; else `VERDICT.TRANSMIT`, and `conn` is the entry
   */
  schedule(service: Service, flow: Flow, isQuoted: boolean, now: number): Verdict {
    const { entries } = this.parts;
    const isOnePacket = service.isOnePacket && flow.protocol === PROTOCOL.UDP;
    const flags = isOnePacket ? CONN_FLAG.ONE_PACKET : 0;
    const callId = service.pe === 'sip' && service.isPersistent ? this.callId(isQuoted) : undefined;
    if (callId === null) return this.drops.drop('no_call_id');
    let id = entries.schedule(service, flow, flags, callId, now);
    if (id === NOT_OPENED.NO_SERVICE) return VERDICT.PASS;
    if (id === NOT_OPENED.NO_DEST && this.mayBypass(service, flow, isQuoted))
      id = entries.admission.bypass(flow, flags, now);
    if (id === NOT_OPENED.NO_DEST) {
      if (entries.isLeftToHost(service, flow.vport)) return VERDICT.PASS;
      if (isQuoted) return this.drops.drop('icmp_no_destination');
      this.drops.count('no_destination');
      return VERDICT.REJECT;
    }
    if (id < 0) return this.drops.drop('table_full');
    if (isOnePacket) this.spent = id;
    this.conn = id;
    return VERDICT.TRANSMIT;
  }

  private withoutPorts(reading: number, hook: Hook, fwmark: number, now: number): Verdict {
    const { view } = this;
    const { protocol } = view;
    if (protocol === (view.isV6 ? ICMPV6 : ICMP)) {
      return reading === FRAGMENT ? VERDICT.REASSEMBLE : this.icmp.packet(view, hook, fwmark, now);
    }
    return protocol === ESP || protocol === AH ? this.security(hook, now) : PASS;
  }

  private fromServer(hook: Hook, now: number): Verdict {
    const { view } = this;
    const id = this.conns.findOut(view.protocol, view.dst, view.dport, view.src, view.sport);
    if (id === NONE) {
      const isLeftAlone = !this.services.hasSip && this.numbers.nat_icmp_send === 0;
      return isLeftAlone ? PASS : this.unknownToServer(hook, now);
    }
    if (this.isOfSockets(id)) return PASS;
    this.entries.segment(id, OUTPUT, view.event, 1, view.lengthBytes, now);
    this.conn = id;
    return REPLY;
  }

  /** No entry has the packet's sender for its server. */
  private unknownToServer(hook: Hook, now: number): Verdict {
    if (this.services.hasSip && this.view.protocol === UDP && hook !== HOOK.LOCAL_IN) {
      const begun = this.fromSipServer(now);
      if (begun !== PASS) return begun;
    }
    return this.numbers.nat_icmp_send === 0 ? PASS : this.refuseServer();
  }

  private fromClient(hook: Hook, fwmark: number, now: number): Verdict {
    if (this.isBackupOnly) return PASS;
    const { view, conns, entries } = this;
    let id = conns.findIn(view.protocol, view.src, view.sport, view.dst, view.dport);
    if (id !== NONE) {
      id = this.judge(id, now);
      if (id === OF_SOCKETS) return PASS;
      if (id === NOT_OPENED_DROP) return this.drops.drop('destination_gone');
    }
    if (id === NONE) {
      const verdict = this.admit(hook, fwmark, now);
      if (verdict !== TRANSMIT) return verdict;
      id = this.conn;
    } else if ((conns.flags(id) & NO_CPORT) !== 0) {
      conns.learnClientPort(id, view.sport);
    }
    entries.segment(id, INPUT, view.event, 1, view.lengthBytes, now);
    if (id === this.spent && entries.offers === undefined) this.countOnTemplate(id);
    this.conn = id;
    return TRANSMIT;
  }

  /** As EntryPath.judge. @returns OF_SOCKETS if the packet is the host's own */
  private judge(id: ConnId, now: number): ConnId | number {
    const { isOpening } = this.view;
    const isOfSockets = this.isOfSockets(id);
    if (isOfSockets && !isOpening) return OF_SOCKETS;
    const judged = this.entries.judge(id, isOpening, now);
    return isOfSockets && judged !== NONE ? OF_SOCKETS : judged;
  }

  /**
   * The entry of a single packet leaves nothing to judge by: its template counts in its place. A master of
   * synchronisation does that by itself.
   */
  private countOnTemplate(id: ConnId): void {
    const template = this.conns.control(id);
    if (template !== NONE) this.conns.addInPackets(template, 1);
  }

  /** A packet without entry: whether its protocol lets it open one, and a service takes it. */
  private admit(hook: Hook, fwmark: number, now: number): Verdict {
    const { view } = this;
    const { entries, defence } = this.parts;
    if (!this.mayOpen()) return VERDICT.PASS;
    const service = entries.services.lookup(view.protocol, view.dst, view.dport, fwmark);
    if (!service || service.isProxied) return VERDICT.PASS;
    if (defence.dropsPacket()) return this.drops.drop('drop_packet_defence');
    if (hook === HOOK.LOCAL_OUT && this.isReplyOfLocalServer()) return VERDICT.PASS;
    return this.schedule(service, flowOf(view, false, fwmark), false, now);
  }

  private mayOpen(): boolean {
    const { view } = this;
    const { numbers } = this.parts.settings;
    if (view.protocol === PROTOCOL.TCP) {
      return view.event !== TCP_EVENT.RST && (view.isOpening || numbers.sloppy_tcp !== 0);
    }
    if (view.protocol !== PROTOCOL.SCTP) return true;
    // The first chunk alone decides; an ABORT behind a cookie is an event only.
    return view.firstChunkMayOpen(numbers.sloppy_sctp !== 0);
  }

  private isReplyOfLocalServer(): boolean {
    const { view } = this;
    const { conns } = this.parts.entries.life;
    return conns.findIn(view.protocol, view.dst, view.dport, view.src, view.sport) !== NONE;
  }

  /** sysctl cache_bypass: a fwmark service without server lets packets to other hosts through. */
  private mayBypass(service: Service, flow: Flow, isQuoted: boolean): boolean {
    const { settings, host } = this.parts;
    if (settings.numbers.cache_bypass === 0 || service.fwmark === 0 || isQuoted) return false;
    return isUnicast(flow.vaddr) && !host.isLocal(flow.vaddr) && !host.isBroadcast(flow.vaddr);
  }

  /** @returns `null` if a service that needs one gets none */
  private callId(isQuoted: boolean): string | null {
    const isDatagram = this.view.protocol === PROTOCOL.UDP && !isQuoted;
    return (isDatagram ? callIdOf(udpPayloadText(this.view)) : undefined) ?? null;
  }

  /** A masqueraded SIP server begins a flow, or answers one whose entry is gone: it leaves with the service's address. */
  private fromSipServer(now: number): Verdict {
    const { view } = this;
    const { entries } = this.parts;
    const dest = entries.services.findMasqDest(view.protocol, view.src, view.sport);
    const { service } = dest ?? {};
    if (!dest || !service || service.pe !== 'sip') return VERDICT.PASS;
    if (service.fwmark !== 0 || service.port === 0 || dest.port === 0) return VERDICT.PASS;
    const callId = service.isPersistent ? callIdOf(udpPayloadText(view)) : undefined;
    if (callId === undefined && service.isPersistent) return VERDICT.PASS;
    const client = flowOf(view, true, 0);
    const flow: Flow = { ...client, vaddr: service.addr, vport: service.port };
    const flags = service.isOnePacket ? CONN_FLAG.ONE_PACKET : 0;
    const id = entries.admission.openFromServer(dest, flow, flags, callId, now);
    if (id < 0) return VERDICT.PASS;
    if (flags !== 0) this.spent = id;
    entries.segment(id, DIRECTION.OUTPUT, view.event, 1, view.lengthBytes, now);
    this.conn = id;
    return VERDICT.REPLY;
  }

  /** sysctl nat_icmp_send: a masqueraded server learns that its packet belongs to nothing. */
  private refuseServer(): Verdict {
    const { view } = this;
    const isReset =
      (view.protocol === PROTOCOL.TCP && view.event === TCP_EVENT.RST) ||
      (view.protocol === PROTOCOL.SCTP && view.event === SCTP_EVENT.ABORT);
    if (isReset) return VERDICT.PASS;
    if (!this.parts.entries.services.findMasqDest(view.protocol, view.src, view.sport)) return VERDICT.PASS;
    this.drops.count('no_connection_of_server');
    return VERDICT.REJECT;
  }

  /** AH and ESP follow the key exchange between the same addresses. */
  private security(hook: Hook, now: number): Verdict {
    const { view, conns, entries } = this;
    const out = conns.findOut(PROTOCOL.UDP, view.dst, ISAKMP_PORT, view.src, ISAKMP_PORT);
    if (out !== NONE) return this.secured(out, DIRECTION.OUTPUT, now);
    if (hook === FORWARD || this.isBackupOnly) return PASS;
    const found = conns.findIn(PROTOCOL.UDP, view.src, ISAKMP_PORT, view.dst, ISAKMP_PORT);
    const id = found === NONE ? NONE : entries.judge(found, false, now);
    if (id === NOT_OPENED_DROP) return this.drops.drop('destination_gone');
    return id === NONE ? PASS : this.secured(id, DIRECTION.INPUT, now);
  }

  private secured(id: ConnId, direction: Direction, now: number): Verdict {
    this.entries.pass(id, direction, 1, this.view.lengthBytes, now);
    this.conn = id;
    return direction === DIRECTION.INPUT ? TRANSMIT : REPLY;
  }
}
