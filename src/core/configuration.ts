import { AF_INET6, formatAddress, sameAddress } from './address.ts';
import { isUnicast } from './address-kinds.ts';
import type { Command } from './commands.ts';
import {
  type DestConfig,
  METHOD,
  SERVICE_FLAG,
  type ServiceConfig,
  type ServiceKey,
  TUNNEL_TYPE,
} from './config.ts';
import type { Destination } from './destination.ts';
import { DestinationTable } from './destination-table.ts';
import { IpvsError } from './errors.ts';
import type { Host } from './host.ts';
import type { Scheduler, SchedulerSpec } from './scheduler.ts';
import { type DecisionCount, describeService, Service } from './service.ts';
import { Services } from './services.ts';
import type { Settings } from './settings.ts';
import { Trash } from './trash.ts';

const NO_SCHEDULER = 'none';
/** Persistence engines that a service may name. */
const PERSISTENCE_ENGINES: readonly string[] = ['sip'];

type ServiceCommand = Extract<Command, { op: 'add-service' | 'edit-service' }>;
type DestCommand = Extract<Command, { op: 'add-dest' | 'edit-dest' }>;

/** Services and destinations, and the rules by which they change (ip_vs_ctl.c). Refusals change nothing. */
export class Configuration {
  readonly services = new Services();
  readonly dests = new DestinationTable();
  readonly trash = new Trash();
  /** Destinations whose family differs from their service's. */
  mixedFamilyCount = 0;
  /** By the scheduler's name. */
  readonly decisions: ReadonlyMap<string, DecisionCount>;
  private readonly schedulers: ReadonlyMap<string, SchedulerSpec>;
  private readonly random: () => number;
  private readonly host: Host;
  private readonly settings: Settings;

  constructor(schedulers: readonly SchedulerSpec[], random: () => number, host: Host, settings: Settings) {
    this.schedulers = new Map(schedulers.map((spec) => [spec.name, spec]));
    this.decisions = new Map(schedulers.map((spec) => [spec.name, { count: 0 }]));
    this.random = random;
    this.host = host;
    this.settings = settings;
  }

  /** @throws IpvsError ESRCH */
  service(key: ServiceKey): Service {
    const service = this.services.find(key);
    if (!service) throw new IpvsError('ESRCH', `there is no service ${describeService(key, formatAddress)}`);
    return service;
  }

  addService({ service: config, flagsMask }: ServiceCommand): void {
    if (this.services.find(config)) throw new IpvsError('EEXIST', 'the service exists already');
    this.checkService(config);
    const service = new Service(config, config.flags & flagsMask & ~SERVICE_FLAG.HASHED, undefined);
    service.scheduler = this.bindScheduler(config.scheduler, service);
    this.services.add(service);
    this.services.noteEngines();
  }

  editService({ service: config, flagsMask }: ServiceCommand): void {
    const service = this.service(config);
    this.checkService(config);
    const flags = ((service.flags & ~flagsMask) | (config.flags & flagsMask)) & ~SERVICE_FLAG.HASHED;
    if (config.scheduler !== service.schedulerName) {
      service.scheduler = this.bindScheduler(config.scheduler, service);
      service.schedulerName = config.scheduler;
    }
    service.flags = flags;
    service.timeoutSec = config.timeoutSec;
    service.netmask = config.netmask;
    service.pe = config.pe;
    this.services.noteEngines();
  }

  deleteService(key: ServiceKey, now: number): void {
    this.removeService(this.service(key), now);
  }

  flush(now: number): void {
    for (const service of [...this.services.all()]) this.removeService(service, now);
  }

  addDest({ service: key, dest: config }: DestCommand, syncDaemonRuns: boolean): void {
    const service = this.service(key);
    const checked = this.checkDest(service, config, syncDaemonRuns);
    if (service.has(checked)) throw new IpvsError('EEXIST', 'the destination exists already');
    this.checkReachable(checked);
    const revived = this.trash.take(service, checked);
    const dest = revived ?? this.dests.create(service, checked);
    if (revived && revived.service !== service) {
      revived.stats.clear();
      revived.service = service;
    }
    dest.configure(checked, true);
    if (isMixed(service, dest)) this.mixedFamilyCount++;
    service.add(dest);
    service.scheduler?.added?.(service.dests);
  }

  editDest({ service: key, dest: config }: DestCommand, syncDaemonRuns: boolean): void {
    const service = this.service(key);
    const checked = this.checkDest(service, config, syncDaemonRuns);
    const at = service.indexOf(checked);
    if (at < 0) throw new IpvsError('ENOENT', 'there is no such destination');
    service.dests[at]!.configure(checked, false);
    service.scheduler?.edited?.(service.dests, at);
  }

  deleteDest({ service: key, dest }: Extract<Command, { op: 'delete-dest' }>, now: number): void {
    const service = this.service(key);
    if (!dest) throw new IpvsError('EINVAL', 'the destination is malformed');
    const at = service.indexOf(dest);
    if (at < 0) throw new IpvsError('ENOENT', 'there is no such destination');
    this.removeDest(service, at, now);
    service.scheduler?.removed?.(service.dests, at);
  }

  private removeService(service: Service, now: number): void {
    service.scheduler = undefined;
    while (service.dests.length > 0) this.removeDest(service, 0, now);
    this.services.remove(service);
    this.services.noteEngines();
  }

  private removeDest(service: Service, at: number, now: number): void {
    const dest = service.removeAt(at);
    dest.available = false;
    if (isMixed(service, dest)) this.mixedFamilyCount--;
    this.trash.put(dest, now);
  }

  /** @throws IpvsError ENOENT, EINVAL, in the kernel's order */
  private checkService(config: ServiceConfig): void {
    if (config.scheduler !== NO_SCHEDULER && !this.schedulers.has(config.scheduler)) {
      throw new IpvsError('ENOENT', `there is no scheduler '${config.scheduler}'`);
    }
    if (config.pe !== '' && !PERSISTENCE_ENGINES.includes(config.pe)) {
      throw new IpvsError('ENOENT', `there is no persistence engine '${config.pe}'`);
    }
    if (config.family === AF_INET6 && (config.netmask < 1 || config.netmask > 128)) {
      throw new IpvsError('EINVAL', 'an IPv6 service needs a prefix length from 1 to 128');
    }
  }

  private bindScheduler(name: string, service: Service): Scheduler | undefined {
    service.decisions = this.decisions.get(name) ?? { count: 0 };
    return this.schedulers.get(name)?.create(service.dests, {
      family: service.family,
      flags: () => service.flags,
      random: this.random,
      setting: (name) => this.settings.number(name),
    });
  }

  /** @throws IpvsError EINVAL, ERANGE, in the kernel's order */
  private checkDest(service: Service, dest: DestConfig | undefined, syncDaemonRuns: boolean): DestConfig {
    if (!dest) throw new IpvsError('EINVAL', 'the destination is malformed or incomplete');
    if (dest.addr.family !== service.family) {
      if ((dest.method & 7) !== METHOD.TUNNEL) {
        throw new IpvsError('EINVAL', 'only tunnels reach a server of another address family');
      }
      if (syncDaemonRuns)
        throw new IpvsError('EINVAL', 'no server of another address family beside a sync daemon');
    }
    if (dest.weight < 0) throw new IpvsError('ERANGE', 'the weight is negative');
    if (dest.lowerThreshold > dest.upperThreshold) {
      throw new IpvsError('ERANGE', 'the lower threshold is above the upper threshold');
    }
    if (dest.tunnelType === TUNNEL_TYPE.GUE && dest.tunnelPort === 0) {
      throw new IpvsError('EINVAL', 'a gue tunnel needs a port');
    }
    return dest;
  }

  /** @throws IpvsError EINVAL for an address that no server can have */
  private checkReachable({ addr }: DestConfig): void {
    if (this.host.isBroadcast(addr) || !(isUnicast(addr) || this.host.isLocal(addr))) {
      throw new IpvsError('EINVAL', `${formatAddress(addr)} is not a unicast address`);
    }
  }
}

const isMixed = (service: Service, dest: Destination): boolean => dest.addr.family !== service.family;

/** @returns whether two keys name the same service. */
export function sameService(a: ServiceKey, b: ServiceKey): boolean {
  if (a.family !== b.family || a.fwmark !== b.fwmark) return false;
  return a.fwmark !== 0 || (a.protocol === b.protocol && a.port === b.port && sameAddress(a.addr, b.addr));
}
