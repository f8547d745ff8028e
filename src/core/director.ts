import { type Address, sameAddress } from './address.ts';
import type { Command, Query, QueryResults, Totals } from './commands.ts';
import { CONN_TABLE_SIZE, IPVS_VERSION, METHOD, PROTOCOL, type ServiceKey } from './config.ts';
import { Configuration } from './configuration.ts';
import { CONN_FLAG } from './conn-flags.ts';
import { Connections } from './connections.ts';
import { Defence } from './defence.ts';
import { EntryPath } from './entry-path.ts';
import { IpvsError } from './errors.ts';
import { type Deciding, explain } from './explain.ts';
import {
  type ConnId,
  DIRECTION,
  type Direction,
  type Flow,
  type FlowDirector,
  NOT_OPENED,
  type Target,
  TCP_EVENT,
  UDP_EVENT,
} from './flow.ts';
import type { Host } from './host.ts';
import { inverseOf } from './inverse.ts';
import { Lifecycle } from './lifecycle.ts';
import { PacketPath } from './packet-path.ts';
import type { PacketView } from './packet-view.ts';
import { procSlice } from './proc.ts';
import type { SchedulerSpec } from './scheduler.ts';
import { SCTP_EVENT } from './sctp.ts';
import type { Service } from './service.ts';
import { Settings } from './settings.ts';
import { ESTIMATOR_PERIOD_MS, Stats } from './stats.ts';
import { SyncDaemons } from './sync-daemons.ts';
import type { SyncOffers } from './sync-offers.ts';
import { StateTimeouts } from './timeouts.ts';
import type { DropReason, Hook, Verdict } from './verdict.ts';

/** Commands after which entries may be left without their server. */
const DELETIONS: ReadonlySet<Command['op']> = new Set(['delete-service', 'delete-dest', 'flush']);

/** What opens an entry for a plane of sockets, by protocol. */
const OPENING_EVENTS: Readonly<Record<number, number>> = {
  [PROTOCOL.TCP]: TCP_EVENT.SYN,
  [PROTOCOL.UDP]: UDP_EVENT.DATAGRAM,
  [PROTOCOL.SCTP]: SCTP_EVENT.INIT,
};

export interface DirectorOptions {
  readonly schedulers: readonly SchedulerSpec[];
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly host: Host;
  /** Most entries and templates at a time. */
  readonly connMax: number;
  /** Present time in ms of the clock that all later calls use. */
  readonly now: number;
  /** Called when an entry is gone, while it can still be read. */
  readonly onExpired?: (id: ConnId) => void;
}

/** What the director itself can answer; `status` also needs to know the planes. */
export type CoreQuery = Exclude<Query, { query: 'status' }>;

/** The director core: configuration, connection entries and their rules. Pure; time comes with each call. */
export class Director implements FlowDirector {
  readonly config: Configuration;
  readonly settings = new Settings();
  readonly timeouts = new StateTimeouts();
  readonly daemons: SyncDaemons;
  readonly life: Lifecycle;
  readonly total = new Stats();
  private readonly entries: EntryPath;
  private readonly deciding: Deciding;
  private readonly defence: Defence;
  private readonly path: PacketPath;
  private estimateAt: number;
  /** Entries of deleted servers are to be ended at the next `expire`. */
  private sweepPending = false;

  constructor(options: DirectorOptions) {
    this.config = new Configuration(options.schedulers, options.random, options.host, this.settings);
    this.daemons = new SyncDaemons(options.host);
    const seed = Math.floor(options.random() * 2 ** 32) | 0;
    const onGone = options.onExpired ?? (() => {});
    this.life = new Lifecycle(
      new Connections(options.connMax, seed),
      this.config.dests,
      this.timeouts,
      options.now,
      onGone,
    );
    const { life, settings, daemons } = this;
    const { services, dests } = this.config;
    const { host, random } = options;
    this.entries = new EntryPath(life, services, settings, this.total);
    this.deciding = { entries: this.entries, settings, timeouts: this.timeouts };
    this.defence = new Defence(life, dests, settings, host, random);
    this.path = new PacketPath({ entries: this.entries, settings, defence: this.defence, daemons, host });
    this.estimateAt = options.now + ESTIMATOR_PERIOD_MS;
  }

  /** @throws IpvsError, and nothing is changed then */
  apply(command: Command, now: number): void {
    const { config } = this;
    this.path.endSpent(now);
    switch (command.op) {
      case 'add-service':
        config.addService(command);
        break;
      case 'edit-service':
        config.editService(command);
        break;
      case 'delete-service':
        config.deleteService(command.service, now);
        break;
      case 'flush':
        config.flush(now);
        break;
      case 'add-dest':
        config.addDest(command, this.daemons.runs);
        break;
      case 'edit-dest':
        config.editDest(command, this.daemons.runs);
        break;
      case 'delete-dest':
        config.deleteDest(command, now);
        break;
      case 'zero':
        this.zero(command.service);
        break;
      case 'set-timeouts':
        this.timeouts.set(command.timeouts);
        break;
      case 'start-daemon':
        this.daemons.start(command.daemon, config.mixedFamilyCount);
        break;
      case 'stop-daemon':
        this.daemons.stop(command.state);
        break;
      case 'set-sysctl':
        this.settings.set(command.name, command.value);
        this.defence.settingChanged(now);
        break;
    }
    if (DELETIONS.has(command.op) && this.settings.isOn('expire_nodest_conn')) this.sweepPending = true;
  }

  /**
   * Applies a command that was accepted before the director's own start.
   * @throws IpvsError, and nothing is changed then
   */
  restore(command: Command, now: number): void {
    if (command.op === 'start-daemon') this.daemons.restore(command.daemon);
    else this.apply(command, now);
  }

  /** @returns the commands that take `command` back if they are applied after it; asked before it is applied. */
  inverse(command: Command): Command[] {
    return inverseOf(this, command);
  }

  /** @throws IpvsError */
  ask<Q extends CoreQuery>(query: Q, now: number): QueryResults[Q['query']];
  ask(query: CoreQuery, now: number): QueryResults[CoreQuery['query']] {
    this.path.endSpent(now);
    switch (query.query) {
      case 'info':
        return { version: IPVS_VERSION, tableSize: CONN_TABLE_SIZE };
      case 'services':
        return Array.from(this.config.services.all(), (service) => service.entry());
      case 'service':
        return this.config.service(query.service).entry();
      case 'dests':
        return this.config.services.find(query.service)?.dests.map((dest) => dest.entry()) ?? [];
      case 'timeouts':
        return this.timeouts.read();
      case 'daemons':
        return this.daemons.list();
      case 'sysctl':
        return this.settings.list(query.name);
      case 'proc':
        return procSlice(this, query.name, query.from, now);
      case 'explain':
        if (this.path.isBackupOnly) throw new IpvsError('EOPNOTSUPP', 'a backup only schedules nothing');
        return explain(this.deciding, query.request, now);
    }
  }

  /**
   * Takes one IP packet in, which the host has found intact (version, header checksum). Fragments are to be put
   * together by the host: they get `VERDICT.REASSEMBLE`.
   * @param at where in `bytes` the IP header starts
   * @param length bytes of the packet from there
   * @param fwmark firewall mark, 0 for none
   * @returns what the host is to do with it; the entry, if it says one, is `packetConn`
   */
  packet(bytes: Uint8Array, at: number, length: number, hook: Hook, fwmark: number, now: number): Verdict {
    return this.path.packet(bytes, at, length, hook, fwmark, now);
  }

  /** The entry of the last packet, or -1; valid until the next call of this director. */
  get packetConn(): ConnId {
    return this.path.conn;
  }

  /**
   * An ICMP error about a tunnel packet of this director is going to be told to the client: counts it as outgoing.
   * @param inner the client's packet that the tunnel packet held, its ports read
   * @returns false if there is no connection that goes through a tunnel to `server`
   */
  countTunnelError(inner: PacketView, server: Address): boolean {
    const { conns } = this.life;
    const id = conns.findIn(inner.protocol, inner.src, inner.sport, inner.dst, inner.dport);
    if (id < 0 || (conns.flags(id) & CONN_FLAG.METHOD_MASK) !== METHOD.TUNNEL) return false;
    if (!sameAddress(conns.daddr(id), server)) return false;
    this.entries.count(id, DIRECTION.OUTPUT, 1, inner.end - inner.at);
    return true;
  }

  /**
   * Says whether sockets serve a service: then packets to it, and to entries that sockets have opened, get
   * `VERDICT.PASS` and are not counted. Services begin as served by packets.
   */
  setProxied(key: ServiceKey, isProxied: boolean): void {
    const service = this.config.services.find(key);
    if (service) service.isProxied = isProxied;
  }

  /** Dropped packets by reason. */
  drops(): Readonly<Record<DropReason, number>> {
    return this.path.drops.read();
  }

  open(flow: Flow, packets: number, bytes: number, now: number): ConnId | number {
    if (this.path.isBackupOnly) return NOT_OPENED.NO_SERVICE;
    const { protocol, caddr, cport, vaddr, vport, fwmark } = flow;
    let id = this.life.conns.findIn(protocol, caddr, cport, vaddr, vport);
    if (id >= 0) id = this.entries.judge(id, protocol !== PROTOCOL.UDP, now);
    if (id === NOT_OPENED.DROP) return id;
    if (id < 0) {
      const service = this.config.services.lookup(protocol, vaddr, vport, fwmark);
      if (!service) return NOT_OPENED.NO_SERVICE;
      if (this.defence.dropsPacket()) return NOT_OPENED.DROP;
      id = this.entries.schedule(service, flow, 0, undefined, now);
      if (id < 0) return id;
    }
    const { conns } = this.life;
    conns.setFlags(id, conns.flags(id) | CONN_FLAG.PROXIED);
    this.segment(id, DIRECTION.INPUT, OPENING_EVENTS[protocol]!, packets, bytes, now);
    return id;
  }

  segment(
    id: ConnId,
    direction: Direction,
    event: number,
    packets: number,
    bytes: number,
    now: number,
  ): void {
    this.entries.segment(id, direction, event, packets, bytes, now);
  }

  touch(id: ConnId, direction: Direction, packets: number, bytes: number, now: number): void {
    this.entries.pass(id, direction, packets, bytes, now);
  }

  target(id: ConnId): Target {
    const { conns } = this.life;
    return {
      daddr: conns.daddr(id),
      dport: conns.dport(id),
      method: conns.flags(id) & CONN_FLAG.METHOD_MASK,
    };
  }

  available(id: ConnId): boolean {
    return this.life.destOf(id)?.available ?? false;
  }

  /** Does all that is due at `now`: timers, the estimator, the trash. */
  expire(now: number): void {
    this.path.endSpent(now);
    if (this.sweepPending) this.sweep(now);
    this.life.expire(now);
    this.defence.expire(now);
    for (const dest of this.config.trash.run(now)) this.config.dests.free(dest);
    while (now >= this.estimateAt) {
      if (this.settings.isOn('run_estimation')) this.estimate();
      this.estimateAt += ESTIMATOR_PERIOD_MS;
    }
  }

  /** @returns the time of the clock at which `expire` should be called next */
  nextDeadline(): number {
    if (this.sweepPending || this.path.hasSpent) return 0;
    return Math.min(
      this.life.wheel.nextDeadline(),
      this.estimateAt,
      this.config.trash.nextDeadline(),
      this.defence.nextDeadline(),
    );
  }

  /** Says who is to hear of entries that other directors want to know of; `undefined`: nobody. */
  setSyncOffers(offers: SyncOffers | undefined): void {
    this.entries.offers = offers;
    this.life.offers = offers;
  }

  /** What is counted for the director as a whole. */
  totals(): Totals {
    const decisions: Record<string, number> = {};
    for (const [name, { count }] of this.config.decisions) decisions[name] = count;
    return { stats: this.total.read(), decisions, drops: this.drops() };
  }

  get connectionCount(): number {
    return this.life.conns.count;
  }

  /** Services as they are, for planes. */
  services(): Iterable<Service> {
    return this.config.services.all();
  }

  /** Ends the entries of deleted servers that control nobody, and the parents that then control nobody. */
  private sweep(now: number): void {
    this.sweepPending = false;
    const { conns } = this.life;
    for (let id = 0; id < conns.high; id++) {
      const dest = conns.isInUse(id) ? this.life.destOf(id) : undefined;
      if (!dest || dest.available || conns.controlled(id) > 0) continue;
      const parent = conns.control(id);
      this.life.expireNow(id, now);
      if (parent >= 0 && conns.controlled(parent) === 0) this.life.expireNow(parent, now);
    }
  }

  private estimate(): void {
    this.total.estimate();
    for (const service of this.config.services.each()) {
      service.stats.estimate();
      for (const dest of service.dests) dest.stats.estimate();
    }
  }

  private zero(key: ServiceKey | undefined): void {
    if (!key) this.total.zero();
    const services = key ? [this.config.service(key)] : this.config.services.all();
    for (const service of services) {
      service.stats.zero();
      for (const dest of service.dests) dest.stats.zero();
    }
  }
}
