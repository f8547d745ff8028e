import type { Address } from './address.ts';
import type { DaemonConfig } from './config.ts';
import type { Errno } from './errors.ts';

/** What the core asks of the machine it stands for. */
export interface Host {
  /** True for an address that is configured here. */
  isLocal(address: Address): boolean;
  /** True for the broadcast address of a directly connected IPv4 network. */
  isBroadcast(address: Address): boolean;
  /** MTU in bytes, or `undefined` if there is no such interface. */
  interfaceMtu(name: string): number | undefined;
  /** Pages of memory that are free or hold only buffers; a host without this method never runs low. */
  freePages?(): number;
  /** Why a sync daemon could not send to, or join, its group on the interface; `undefined` if it could. */
  multicastProblem(daemon: DaemonConfig): Errno | undefined;
}
