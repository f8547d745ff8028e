import { setTimeout as sleep } from 'node:timers/promises';
import { isUnspecified, sameAddress } from '../core/address.ts';
import type { Command, ServingState } from '../core/commands.ts';
import { type DestConfig, METHOD, PROTOCOL, type ServiceKey } from '../core/config.ts';
import { IpvsError } from '../core/errors.ts';
import type { ConnId, FlowDirector } from '../core/flow.ts';
import { Bindings } from './bindings.ts';
import { TcpCoreEvents, UdpCoreEvents } from './core-events.ts';
import { DescriptorBudget, descriptorLimit } from './descriptors.ts';
import { NodeTcpRelay } from './node-tcp-relay.ts';
import { NodeUdpRelay } from './node-udp-relay.ts';
import type { Plane } from './plane.ts';
import { createCounters } from './proxy-counters.ts';
import type { TcpRelay, UdpRelay } from './relay.ts';
import {
  bindRefusal,
  endpoint,
  type Features,
  featureObstacle,
  needsPacketPlane,
  obstacle,
  stateOfFailure,
  unservableReason,
} from './servable.ts';
import type { ServicesView, ServiceView } from './service-view.ts';

/** How often listeners are tried that could not be opened. */
const RETRY_MS = 1000;

/** How long a listener that was opened for a first server waits for it. */
const HOLD_MS = 5000;

/** How often a draining plane looks whether its flows have ended. */
const DRAIN_POLL_MS = 20;

export interface ProxyPlaneOptions {
  readonly director: FlowDirector;
  readonly services: ServicesView;
  /** Milliseconds of the core's clock. */
  readonly now: () => number;
  readonly log: (message: string) => void;
  /** Whether flows of a deleted server are reset (sysctl expire_nodest_conn) instead of not being read. */
  readonly expireNodest?: () => boolean;
  /** Sockets to UDP servers, at most; default: half of the descriptors that the process may open. */
  readonly udpSocketsMax?: number;
  /** Descriptors for flows, at most; default: see DescriptorBudget. */
  readonly descriptors?: number;
}

/** Changes after which listeners may have to be opened or closed. */
const CONCERNS_LISTENERS: ReadonlySet<Command['op']> = new Set([
  'add-service',
  'edit-service',
  'delete-service',
  'add-dest',
  'edit-dest',
  'delete-dest',
  'flush',
  'set-sysctl',
]);

/** Changes after which flows may have lost their server, got it back, or are to be reset. */
const CONCERNS_FLOWS: ReadonlySet<Command['op']> = new Set([
  'add-dest',
  'delete-dest',
  'delete-service',
  'flush',
  'set-sysctl',
]);

const wantsListener = (service: ServiceView): boolean =>
  service.dests.length > 0 && unservableReason(service) === undefined;

/** Serves TCP and UDP services by sockets on Node's own loop: no privileges, masquerading servers only. */
export class ProxyPlane implements Plane {
  private readonly options: ProxyPlaneOptions;
  private readonly counts = createCounters();
  private readonly descriptors: DescriptorBudget;
  private readonly tcp: TcpRelay;
  private readonly udp: UdpRelay;
  private readonly bindings: Bindings;
  /** Work on listeners, one piece after the other. */
  private queue: Promise<void> = Promise.resolve();
  private retryTimer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(options: ProxyPlaneOptions) {
    const { director, now, log } = options;
    this.options = options;
    this.descriptors = new DescriptorBudget(options.descriptors);
    const core = { director, counters: this.counts, now };
    const common = { descriptors: this.descriptors, counters: this.counts, now, log };
    const socketsMax = options.udpSocketsMax ?? descriptorLimit() >> 1;
    this.tcp = new NodeTcpRelay({ ...common, events: new TcpCoreEvents(core) });
    this.udp = new NodeUdpRelay({ ...common, events: new UdpCoreEvents(core), socketsMax });
    this.bindings = new Bindings({ tcp: this.tcp, udp: this.udp });
  }

  prepare(command: Command): Promise<void> {
    return this.inTurn(async () => {
      if (command.op === 'add-service') await this.prepareService(command.service);
      else if (command.op === 'edit-service')
        this.prepareFeatures(command.service, {
          flags: command.service.flags & command.flagsMask,
          pe: command.service.pe,
        });
      else if (command.op === 'add-dest') await this.prepareDest(command.service, command.dest, true);
      else if (command.op === 'edit-dest') await this.prepareDest(command.service, command.dest, false);
    });
  }

  reconcile(command: Command | undefined): Promise<void> {
    // What was held for a server still to come has either got it, or the change was refused.
    const heldUntil = Number.POSITIVE_INFINITY;
    if (command !== undefined && !CONCERNS_LISTENERS.has(command.op)) return Promise.resolve();
    return this.inTurn(async () => {
      if (command === undefined || !('service' in command)) await this.align(heldUntil);
      else if (command.service !== undefined) await this.alignService(command.service, heldUntil);
      if (command === undefined || CONCERNS_FLOWS.has(command.op)) this.alignFlows();
    });
  }

  states(): readonly ServingState[] {
    return Array.from(this.options.services.all(), (service) => ({
      service,
      plane: 'proxy',
      state: this.stateOf(service),
    }));
  }

  counters(): Readonly<Record<string, number>> {
    return {
      ...this.counts,
      tcp_listeners: this.bindings.count(PROTOCOL.TCP),
      tcp_flows_open: this.tcp.size,
      udp_listeners: this.bindings.count(PROTOCOL.UDP),
      udp_sockets_open: this.udp.size,
      descriptors_used: this.descriptors.used,
      descriptors_limit: this.descriptors.limit,
    };
  }

  expired(id: ConnId): void {
    if (this.tcp.abort(id)) this.counts.tcp_reset_by_expiry++;
    else if (this.udp.abort(id)) this.counts.udp_sockets_expired++;
  }

  async stop(drainMs: number): Promise<void> {
    this.stopped = true;
    clearTimeout(this.retryTimer);
    await this.queue;
    await this.bindings.close(PROTOCOL.TCP);
    // Datagrams have no end to wait for: UDP is served until the last TCP flow has ended.
    const until = this.options.now() + drainMs;
    while (this.tcp.size > 0 && this.options.now() < until) await sleep(DRAIN_POLL_MS);
    await this.tcp.stop();
    await this.bindings.close(PROTOCOL.UDP);
    await this.udp.stop();
  }

  private stateOf(service: ServiceView): string {
    const reason = unservableReason(service);
    if (reason !== undefined) return `unservable: ${reason}`;
    if (service.dests.length === 0) return 'no servers';
    const failure = this.bindings.failure(service);
    return failure === undefined ? 'served' : stateOfFailure(failure);
  }

  private async prepareService(service: ServiceKey & Features): Promise<void> {
    if (this.find(service) !== undefined) return;
    const found = obstacle(service);
    if (found?.errno !== undefined) throw needsPacketPlane(found.errno, found.reason);
    if (found !== undefined || this.bindings.has(service)) return;
    const failure = await this.bindings.probe(service);
    if (failure !== undefined && failure !== 'EADDRNOTAVAIL') throw bindRefusal(service, failure);
  }

  private prepareFeatures(key: ServiceKey, features: Features): void {
    const feature = featureObstacle(features);
    if (this.find(key) !== undefined && feature !== undefined) throw needsPacketPlane('EOPNOTSUPP', feature);
  }

  private async prepareDest(key: ServiceKey, dest: DestConfig | undefined, added: boolean): Promise<void> {
    const service = this.find(key);
    if (service === undefined || dest === undefined) return;
    const known = service.dests.some(
      (other) => other.port === dest.port && sameAddress(other.addr, dest.addr),
    );
    // A server that is there already, or not there to be edited, is for the core to refuse.
    if (known === added) return;
    if (dest.method !== METHOD.MASQ) {
      const server = endpoint(dest.addr, dest.port);
      throw needsPacketPlane('EOPNOTSUPP', `server ${server}: it is not masqueraded (ipvsadm -m)`);
    }
    if (!added) return;
    if (this.isOurs(service.protocol, dest)) {
      const server = endpoint(dest.addr, dest.port);
      throw new IpvsError('ELOOP', `server ${server} is a virtual service of this director`);
    }
    if (service.dests.length > 0 || unservableReason(service) !== undefined) return;
    const now = this.options.now();
    const failure = await this.bindings.bind(service, now);
    if (failure !== undefined && failure !== 'EADDRNOTAVAIL') {
      await this.bindings.release(service);
      throw bindRefusal(service, failure);
    }
    this.bindings.hold(service, now + HOLD_MS);
    this.scheduleRetry();
  }

  /** Listeners as all services want them; what is held beyond `heldUntil` stays. */
  private async align(heldUntil: number): Promise<void> {
    if (this.stopped) return;
    const wanted = Array.from(this.options.services.all()).filter(wantsListener);
    await this.bindings.retain(wanted, heldUntil);
    await this.bindings.bindAll(wanted, this.options.now());
    this.scheduleRetry();
  }

  /** As `align`, for one service. */
  private async alignService(key: ServiceKey, heldUntil: number): Promise<void> {
    if (this.stopped) return;
    const service = this.options.services.find(key);
    if (service !== undefined && wantsListener(service)) {
      this.bindings.hold(service, 0);
      await this.bindings.bindAll([service], this.options.now());
    } else {
      await this.bindings.dropUnlessHeld(key, heldUntil);
    }
    this.scheduleRetry();
  }

  private alignFlows(): void {
    const reset = this.options.expireNodest?.() ?? false;
    for (const id of this.tcp.ids()) {
      const available = this.options.director.available(id);
      if (available || !reset) this.tcp.hold(id, !available);
      else if (this.tcp.abort(id)) this.counts.tcp_reset_nodest++;
    }
  }

  private scheduleRetry(): void {
    clearTimeout(this.retryTimer);
    if (this.stopped || !this.bindings.unsettled) return;
    this.retryTimer = setTimeout(() => {
      void this.inTurn(() => this.align(this.options.now()));
    }, RETRY_MS);
    this.retryTimer.unref();
  }

  private find(key: ServiceKey): ServiceView | undefined {
    return this.options.services.find(key);
  }

  private isOurs(protocol: number, { addr, port }: DestConfig): boolean {
    if (isUnspecified(addr)) return false;
    return this.find({ family: addr.family, protocol, addr, port, fwmark: 0 }) !== undefined;
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.queue.then(work);
    this.queue = done.catch(() => {});
    return done;
  }
}
