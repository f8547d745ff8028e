import type { Address, Family } from './address.ts';
import {
  type DestKey,
  SERVICE_FLAG,
  type ServiceConfig,
  type ServiceEntry,
  type ServiceKey,
} from './config.ts';
import type { Destination } from './destination.ts';
import type { Scheduler } from './scheduler.ts';
import { Stats } from './stats.ts';

/** How often the schedulers of one name have chosen a server. */
export interface DecisionCount {
  count: number;
}

/** A virtual service and its destinations. */
export class Service implements ServiceKey {
  readonly family: Family;
  readonly protocol: number;
  readonly addr: Address;
  readonly port: number;
  readonly fwmark: number;
  flags: number;
  timeoutSec: number;
  netmask: number;
  /** 'none' without a scheduler. */
  schedulerName: string;
  scheduler: Scheduler | undefined;
  pe: string;
  /** Served by sockets: packets to it are the host's own. */
  isProxied = false;
  /** Newest first. */
  readonly dests: Destination[] = [];
  /** By the text of the key, so that a long table is changed as fast as a short one. */
  private readonly byKey = new Map<string, Destination>();
  readonly stats = new Stats();
  /** Shared by all services with this scheduler. */
  decisions: DecisionCount = { count: 0 };

  constructor(config: ServiceConfig, flags: number, scheduler: Scheduler | undefined) {
    this.family = config.family;
    this.protocol = config.protocol;
    this.addr = config.addr;
    this.port = config.port;
    this.fwmark = config.fwmark;
    this.flags = flags;
    this.timeoutSec = config.timeoutSec;
    this.netmask = config.netmask;
    this.schedulerName = config.scheduler;
    this.scheduler = scheduler;
    this.pe = config.pe;
  }

  get isPersistent(): boolean {
    return (this.flags & SERVICE_FLAG.PERSISTENT) !== 0;
  }

  get isOnePacket(): boolean {
    return (this.flags & SERVICE_FLAG.ONE_PACKET) !== 0;
  }

  /** @returns the index of the destination, or -1. */
  indexOf(key: DestKey): number {
    const dest = this.byKey.get(destKeyText(key));
    return dest === undefined ? -1 : this.dests.indexOf(dest);
  }

  has(key: DestKey): boolean {
    return this.byKey.has(destKeyText(key));
  }

  /** Adds a destination that it has not. */
  add(dest: Destination): void {
    this.dests.unshift(dest);
    this.byKey.set(destKeyText(dest), dest);
  }

  /** @param at an index in `dests` */
  removeAt(at: number): Destination {
    const [dest] = this.dests.splice(at, 1);
    this.byKey.delete(destKeyText(dest!));
    return dest!;
  }

  config(): ServiceConfig {
    return {
      family: this.family,
      protocol: this.protocol,
      addr: this.addr,
      port: this.port,
      fwmark: this.fwmark,
      scheduler: this.schedulerName,
      flags: this.flags,
      timeoutSec: this.timeoutSec,
      netmask: this.netmask,
      pe: this.pe,
    };
  }

  entry(): ServiceEntry {
    return { ...this.config(), stats: this.stats.read() };
  }
}

/** The same for the same destination of a service. */
export const destKeyText = ({ addr, port }: DestKey): string => `${addressText(addr)} ${port}`;

/** The same for the same service, and for those of one mark whatever their address family. */
export const serviceKeyText = ({ fwmark, protocol, addr, port }: ServiceKey): string =>
  fwmark === 0 ? `${protocol} ${addressText(addr)} ${port}` : `${protocol} mark ${fwmark}`;

const addressText = ({ family, words }: Address): string => `${family} ${words.join(' ')}`;

/** Prints a service for people: `TCP 10.0.0.1:80`, `FWM 5`. */
export function describeService(key: ServiceKey, formatAddress: (address: Address) => string): string {
  if (key.fwmark !== 0) return `FWM ${key.fwmark >>> 0}`;
  const host = formatAddress(key.addr);
  return `${protocolName(key.protocol)} ${host.includes(':') ? `[${host}]` : host}:${key.port}`;
}

/** Protocol names of the kernel's listings (ip_vs_proto.c). */
export function protocolName(protocol: number): string {
  const names: Readonly<Record<number, string>> = {
    0: 'IP',
    1: 'ICMP',
    6: 'TCP',
    17: 'UDP',
    58: 'ICMPv6',
    132: 'SCTP',
  };
  return names[protocol] ?? `IP_${protocol}`;
}
