import { type Address, AF_INET, ipv4, ipv6 } from './address.ts';
import { METHOD, PROTOCOL } from './config.ts';
import { CONN_FLAG } from './conn-flags.ts';
import type { Destination } from './destination.ts';
import { type ConnId, type Flow, NOT_OPENED } from './flow.ts';
import type { Lifecycle } from './lifecycle.ts';
import { NO_DEST } from './scheduler.ts';
import type { Service } from './service.ts';
import type { Settings } from './settings.ts';
import type { Stats } from './stats.ts';

/** The control port of FTP, which has rules of its own. */
export const FTP_PORT = 21;
const FTP_DATA_PORT = 20;

/** Places new connections: from a flow and its service to an entry bound to a destination (ip_vs_core.c). */
export class Admission {
  private readonly life: Lifecycle;
  private readonly settings: Settings;
  private readonly total: Stats;

  /** @param total counters of the whole director */
  constructor(life: Lifecycle, settings: Settings, total: Stats) {
    this.life = life;
    this.settings = settings;
    this.total = total;
  }

  /**
   * @param flags of the entry besides those of its destination: ONE_PACKET or none
   * @param callId what the engine `sip` took from the packet; only for services that have it
   * @returns the new entry, or one of NOT_OPENED
   */
  schedule(
    service: Service,
    flow: Flow,
    flags: number,
    callId: string | undefined,
    now: number,
  ): ConnId | number {
    if (flow.cport === FTP_DATA_PORT) return NOT_OPENED.NO_SERVICE;
    if (service.isPersistent) return this.schedulePersistent(service, flow, flags, callId, now);
    if (service.fwmark === 0 && flow.vport !== service.port) return NOT_OPENED.NO_DEST;
    const dest = choose(service, flow, now);
    return dest ? this.connect(flow, dest, dest.port || flow.vport, flags, -1, now) : NOT_OPENED.NO_DEST;
  }

  /** The template that a client's next connection to a persistent service would find; -1 for none. */
  findTemplate(service: Service, flow: Flow): ConnId {
    const key = templateKey(service, flow);
    const net = maskedClient(flow.caddr, service.netmask);
    return this.life.conns.findTemplate(key.protocol, net, key.vaddr, key.vport);
  }

  /** An entry without server: its packets go on to where they were sent (sysctl cache_bypass). */
  bypass(flow: Flow, flags: number, now: number): ConnId | number {
    const { protocol, caddr, cport, vaddr, vport } = flow;
    const all = flags | METHOD.BYPASS;
    const id = this.life.create(protocol, caddr, cport, vaddr, vport, undefined, 0, all, now);
    if (id < 0) return NOT_OPENED.TABLE_FULL;
    this.life.conns.setFwmark(id, flow.fwmark);
    return id;
  }

  /**
   * The entry of a flow that a server began, which leaves with the service's address (engine `sip`): with the
   * client's template, made if there is none to this server.
   * @param flow as the client's packets will have it
   */
  openFromServer(
    dest: Destination,
    flow: Flow,
    flags: number,
    callId: string | undefined,
    now: number,
  ): ConnId | number {
    const { conns } = this.life;
    const { service } = dest;
    if (!service.isPersistent) return this.connect(flow, dest, dest.port, flags, -1, now);
    const net = maskedClient(flow.caddr, service.netmask);
    const key = templateKey(service, flow);
    let template = conns.findTemplate(key.protocol, net, key.vaddr, key.vport, callId);
    const isUsable = template >= 0 && this.usableDest(template) === dest;
    if (template >= 0 && !isUsable) this.life.invalidate(template);
    if (!isUsable) template = this.makeTemplate(service, key, net, dest, callId, flow.fwmark, now);
    if (template < 0) return template;
    const id = this.connect(flow, dest, dest.port, flags, template, now);
    this.life.put(template, now);
    return id;
  }

  /** The client's template decides; without a usable one the scheduler does, and a template is made. */
  private schedulePersistent(
    service: Service,
    flow: Flow,
    flags: number,
    callId: string | undefined,
    now: number,
  ): ConnId | number {
    const { conns } = this.life;
    const net = maskedClient(flow.caddr, service.netmask);
    const key = templateKey(service, flow);
    let template = conns.findTemplate(key.protocol, net, key.vaddr, key.vport, callId);
    let dest = template < 0 ? undefined : this.usableDest(template);
    if (template >= 0 && !dest) this.life.invalidate(template);
    if (!dest) {
      dest = choose(service, flow, now);
      if (!dest) return NOT_OPENED.NO_DEST;
      template = this.makeTemplate(service, key, net, dest, callId, flow.fwmark, now);
      if (template < 0) return template;
    }
    const dport = flow.vport === service.port && dest.port !== 0 ? dest.port : flow.vport;
    const id = this.connect(flow, dest, dport, flags, template, now);
    this.life.put(template, now);
    return id;
  }

  private makeTemplate(
    service: Service,
    key: TemplateKey,
    net: Address,
    dest: Destination,
    callId: string | undefined,
    fwmark: number,
    now: number,
  ): ConnId | number {
    const { protocol, vaddr, vport } = key;
    const dport = key.isForOnePort ? dest.port : 0;
    const id = this.life.create(protocol, net, 0, vaddr, vport, dest, dport, CONN_FLAG.TEMPLATE, now);
    if (id < 0) return NOT_OPENED.TABLE_FULL;
    this.life.conns.setTimeoutSec(id, service.timeoutSec);
    this.life.conns.setFwmark(id, fwmark);
    if (callId !== undefined) this.life.conns.peData.set(id, callId);
    return id;
  }

  private connect(
    flow: Flow,
    dest: Destination,
    dport: number,
    flags: number,
    template: ConnId,
    now: number,
  ): ConnId | number {
    const { conns } = this.life;
    const { protocol, caddr, cport, vaddr, vport } = flow;
    const all = this.settings.numbers.conntrack !== 0 ? flags | CONN_FLAG.NFCT : flags;
    const id = this.life.create(protocol, caddr, cport, vaddr, vport, dest, dport, all, now);
    if (id < 0) return NOT_OPENED.TABLE_FULL;
    conns.setFwmark(id, flow.fwmark);
    if (template >= 0) this.life.adopt(id, template);
    dest.stats.countConn();
    dest.service.stats.countConn();
    this.total.countConn();
    return id;
  }

  /** The template's destination, ignoring weight and overload (ip_vs_check_template); `undefined` if it is unusable. */
  private usableDest(template: ConnId): Destination | undefined {
    const dest = this.life.destOf(template);
    if (!dest?.available) return undefined;
    return dest.weight === 0 && this.settings.isOn('expire_quiescent_template') ? undefined : dest;
  }
}

function choose(service: Service, flow: Flow, now: number): Destination | undefined {
  const at = service.scheduler?.schedule(service.dests, flow, now) ?? NO_DEST;
  if (at === NO_DEST) return undefined;
  service.decisions.count++;
  return service.dests[at];
}

interface TemplateKey {
  readonly protocol: number;
  readonly vaddr: Address;
  readonly vport: number;
  /** The template stands for the service's own port, and keeps the destination's. */
  readonly isForOnePort: boolean;
}

/** The key does not name the service: two services on one address may share a template, as in the kernel. */
function templateKey(service: Service, flow: Flow): TemplateKey {
  if (flow.vport === service.port) {
    const isFtp = service.port === FTP_PORT;
    return {
      protocol: flow.protocol,
      vaddr: flow.vaddr,
      vport: isFtp ? 0 : service.port,
      isForOnePort: !isFtp,
    };
  }
  if (service.fwmark !== 0) {
    const vaddr = service.family === AF_INET ? ipv4(service.fwmark) : ipv6(service.fwmark, 0, 0, 0);
    return { protocol: PROTOCOL.IP, vaddr, vport: 0, isForOnePort: false };
  }
  return { protocol: flow.protocol, vaddr: flow.vaddr, vport: 0, isForOnePort: false };
}

/** @param netmask IPv4: the mask; IPv6: the prefix length */
function maskedClient(caddr: Address, netmask: number): Address {
  const [a, b, c, d] = caddr.words;
  if (caddr.family === AF_INET) return ipv4(a & netmask);
  const mask = (word: number): number => {
    const bits = Math.min(Math.max(netmask - 32 * word, 0), 32);
    return bits === 0 ? 0 : -1 << (32 - bits);
  };
  return ipv6(a & mask(0), b & mask(1), c & mask(2), d & mask(3));
}
