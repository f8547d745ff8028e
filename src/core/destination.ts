import type { Address } from './address.ts';
import { type DestConfig, type DestEntry, METHOD } from './config.ts';
import { CONN_FLAG } from './conn-flags.ts';
import type { Service } from './service.ts';
import { Stats } from './stats.ts';

/** An active connection weighs as much as this many inactive ones (ip_vs_dest_conn_overhead). */
const ACTIVE_COST = 256;

/** Load of a server as the least-connection schedulers see it. */
export const overhead = (dest: Destination): number => dest.active * ACTIVE_COST + dest.inactive;

/** Whether new connections may go to it: neither quiesced nor overloaded. */
export const isEligible = (dest: Destination): boolean => dest.weight > 0 && !dest.overloaded;

/** A real server as configured for one service; lives on in the trash after its deletion. */
export class Destination implements DestConfig {
  // What every choice reads comes first: side by side it shares a cache line.
  weight: number;
  active = 0;
  inactive = 0;
  overloaded = false;
  readonly addr: Address;
  readonly port: number;
  /** The weight given when it was added, or last given that was not 0 (mh keeps slots by it). */
  lastWeight: number;
  method: number;
  upperThreshold = 0;
  lowerThreshold = 0;
  tunnelType: number;
  tunnelPort: number;
  tunnelFlags: number;
  persistent = 0;
  /** False while it is in the trash. */
  available = true;
  readonly stats = new Stats();
  service: Service;
  /** Index in the director's table of destinations, by which connection entries refer to it. */
  readonly slot: number;
  /** When the trash first found it unreferenced, ms; -1 for not yet. */
  idleSince = -1;

  constructor(slot: number, service: Service, config: DestConfig) {
    this.slot = slot;
    this.service = service;
    this.addr = config.addr;
    this.port = config.port;
    this.weight = config.weight;
    this.lastWeight = config.weight;
    this.method = config.method;
    this.tunnelType = config.tunnelType;
    this.tunnelPort = config.tunnelPort;
    this.tunnelFlags = config.tunnelFlags;
  }

  /** Takes over a configuration on add (also on revival from the trash) and edit (ip_vs_ctl.c, update step). */
  configure(config: DestConfig, isNew: boolean): void {
    if (isNew || config.weight !== 0) this.lastWeight = config.weight;
    this.weight = config.weight;
    this.method = config.method & 7;
    this.tunnelType = config.tunnelType;
    this.tunnelPort = config.tunnelPort;
    this.tunnelFlags = config.tunnelFlags;
    this.available = true;
    if (config.upperThreshold === 0 || config.upperThreshold > this.upperThreshold) this.overloaded = false;
    this.upperThreshold = config.upperThreshold;
    this.lowerThreshold = config.lowerThreshold;
  }

  /** What its connection entries inherit: the method, INACTIVE, and NOOUTPUT unless replies pass the director. */
  connFlags(): number {
    return this.method | CONN_FLAG.INACTIVE | (this.method === METHOD.MASQ ? 0 : CONN_FLAG.NOOUTPUT);
  }

  /** True while connection entries or templates refer to it. */
  isReferenced(): boolean {
    return this.active + this.inactive + this.persistent > 0;
  }

  /** Evaluated after an entry was bound and counted: at the upper threshold no more are wanted. */
  checkUpperThreshold(): void {
    if (this.upperThreshold !== 0 && this.active + this.inactive >= this.upperThreshold)
      this.overloaded = true;
  }

  /** Evaluated after an entry was unbound: below the lower threshold (or 3/4 of the upper) it is wanted again. */
  checkLowerThreshold(): void {
    const total = this.active + this.inactive;
    if (this.lowerThreshold !== 0) {
      if (total < this.lowerThreshold) this.overloaded = false;
    } else if (this.upperThreshold !== 0) {
      if (total * 4 < this.upperThreshold * 3) this.overloaded = false;
    } else {
      this.overloaded = false;
    }
  }

  config(): DestConfig {
    return {
      addr: this.addr,
      port: this.port,
      weight: this.weight,
      method: this.method,
      upperThreshold: this.upperThreshold,
      lowerThreshold: this.lowerThreshold,
      tunnelType: this.tunnelType,
      tunnelPort: this.tunnelPort,
      tunnelFlags: this.tunnelFlags,
    };
  }

  entry(): DestEntry {
    return {
      addr: this.addr,
      port: this.port,
      weight: this.weight,
      method: this.method,
      upperThreshold: this.upperThreshold,
      lowerThreshold: this.lowerThreshold,
      tunnelType: this.tunnelType,
      tunnelPort: this.tunnelPort,
      tunnelFlags: this.tunnelFlags,
      active: this.active,
      inactive: this.inactive,
      persistent: this.persistent,
      overloaded: this.overloaded,
      stats: this.stats.read(),
    };
  }
}
