import { isUnspecified, sameAddress } from '../core/address.ts';
import type { Command, ServingState } from '../core/commands.ts';
import type { DestConfig, ServiceKey } from '../core/config.ts';
import { IpvsError } from '../core/errors.ts';
import type { ConnId } from '../core/flow.ts';
import type { Plane } from './plane.ts';
import { obstacle, unservableReason } from './servable.ts';
import type { ServicesView, ServiceView } from './service-view.ts';

export interface AutoPlaneOptions {
  readonly services: ServicesView;
  /** Makes the plane of sockets for the services that it is shown. */
  readonly proxy: (services: ServicesView) => Plane;
  /** Makes the plane of packets for the services that it is shown, or says why this process cannot have one. */
  readonly packet: (services: ServicesView) => Plane | { readonly missing: string };
  /** Hears which services sockets serve, so that packets of these are left to the host. */
  readonly setProxied: (service: ServiceKey, isProxied: boolean) => void;
}

/**
 * Serves each service by sockets if they can, else by packets: gateway and tunnel servers, marks, port 0, one-packet
 * scheduling, a port that another socket holds. A service that has come to packets stays there until it is deleted;
 * its proxied connections end by themselves.
 */
export class AutoPlane implements Plane {
  private readonly services: ServicesView;
  private readonly proxy: Plane;
  private readonly packet: Plane | undefined;
  /** Why there is no packet plane. */
  private readonly missing: string;
  private readonly setProxied: AutoPlaneOptions['setProxied'];
  /** Keys of services that packets serve. */
  private readonly moved = new Set<string>();

  constructor(options: AutoPlaneOptions) {
    this.services = options.services;
    this.setProxied = options.setProxied;
    this.proxy = options.proxy(this.view((service) => !this.byPackets(service)));
    const packet = options.packet(this.view((service) => this.byPackets(service)));
    this.packet = 'missing' in packet ? undefined : packet;
    this.missing = 'missing' in packet ? packet.missing : '';
  }

  async prepare(command: Command): Promise<void> {
    const after = this.afterwards(command);
    if (after === undefined) return;
    const key = keyOf(after);
    if (this.packet && (this.moved.has(key) || needsPackets(after))) {
      await this.packet.prepare(command);
      this.moved.add(key);
      return;
    }
    try {
      await this.proxy.prepare(command);
    } catch (error) {
      if (!(error instanceof IpvsError)) throw error;
      if (!this.packet && needsPackets(after))
        throw new IpvsError(error.errno, `${error.message}, which this process cannot have: ${this.missing}`);
      if (!this.packet || error.errno !== 'EADDRINUSE') throw error;
      await this.packet.prepare(command);
      this.moved.add(key);
    }
  }

  async reconcile(command: Command | undefined): Promise<void> {
    if (this.packet) this.assign(command);
    await Promise.all([this.proxy.reconcile(command), this.packet?.reconcile(command)]);
  }

  states(): readonly ServingState[] {
    return [...this.proxy.states(), ...(this.packet?.states() ?? [])];
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.proxy.counters(), ...this.packet?.counters() };
  }

  async stop(drainMs: number): Promise<void> {
    await this.proxy.stop(drainMs);
    await this.packet?.stop(0);
  }

  expired(id: ConnId): void {
    this.proxy.expired(id);
    this.packet?.expired(id);
  }

  private byPackets(service: ServiceView): boolean {
    return this.packet !== undefined && this.moved.has(keyOf(service));
  }

  private view(mine: (service: ServiceView) => boolean): ServicesView {
    const { services } = this;
    return {
      *all() {
        for (const service of services.all()) if (mine(service)) yield service;
      },
      find(key) {
        const service = services.find(key);
        return service && mine(service) ? service : undefined;
      },
    };
  }

  /** Brings `moved` in line with the services as they are. */
  private assign(command: Command | undefined): void {
    if (command === undefined || command.op === 'flush') this.assignAll();
    else if ('service' in command && command.service !== undefined) this.assignOne(command.service);
  }

  private assignOne(key: ServiceKey): void {
    const service = this.services.find(key);
    if (service === undefined) this.moved.delete(keyOf(key));
    else this.place(service);
  }

  private assignAll(): void {
    const all = Array.from(this.services.all());
    const present = new Set(all.map(keyOf));
    for (const key of this.moved) if (!present.has(key)) this.moved.delete(key);
    for (const service of all) this.place(service);
  }

  private place(service: ServiceView): void {
    if (needsPackets(service)) this.moved.add(keyOf(service));
    this.setProxied(service, !this.moved.has(keyOf(service)));
  }

  /** The service that a change is about as it would be, or `undefined` if the change cannot matter to planes. */
  private afterwards(command: Command): ServiceView | undefined {
    if (command.op === 'add-service') return { ...command.service, dests: [] };
    if (command.op !== 'edit-service' && command.op !== 'add-dest' && command.op !== 'edit-dest')
      return undefined;
    const service = this.services.find(command.service);
    if (service === undefined) return undefined;
    if (command.op === 'edit-service') {
      const { flags, pe } = command.service;
      return withDests({ ...keyFields(service), flags: flags & command.flagsMask, pe }, service.dests);
    }
    const { dest } = command;
    if (dest === undefined) return service;
    const others = service.dests.filter((each) => !isSame(each, dest));
    return withDests({ ...keyFields(service), flags: service.flags, pe: service.pe }, [...others, dest]);
  }
}

const keyFields = ({ family, protocol, addr, port, fwmark }: ServiceKey): ServiceKey => ({
  family,
  protocol,
  addr,
  port,
  fwmark,
});

const withDests = (service: Omit<ServiceView, 'dests'>, dests: ServiceView['dests']): ServiceView => ({
  ...service,
  dests,
});

const isSame = (a: Pick<DestConfig, 'addr' | 'port'>, b: Pick<DestConfig, 'addr' | 'port'>): boolean =>
  a.port === b.port && sameAddress(a.addr, b.addr);

/** Whether sockets can never serve the service as it is configured. */
function needsPackets(service: ServiceView): boolean {
  if (isUnspecified(service.addr) && service.fwmark === 0) return obstacle(service)?.errno !== undefined;
  return unservableReason(service) !== undefined;
}

const keyOf = ({ family, protocol, addr, port, fwmark }: ServiceKey): string =>
  fwmark !== 0 ? `${family} mark ${fwmark}` : `${protocol} ${addr.words.join('.')} ${family} ${port}`;
