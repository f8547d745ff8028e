import type { Address, Family } from '../../core/address.ts';
import type { CaptureWish } from './host-state/capture-sets.ts';

/** Devices, packets and host state of a running packet plane. */
export interface PacketEngine {
  families(): readonly Family[];
  /** Whether packets to an address are the host's own. */
  isLocal(address: Address): boolean;
  /** Lets the host hand over just what is wished. */
  capture(wish: CaptureWish): Promise<void>;
  counters(): Readonly<Record<string, number>>;
  /** How packets are moved and why so. */
  readonly tier: string;
  /** Which way packets are captured and why so. */
  readonly captureWay: string;
  footprint(): readonly string[];
  problems(): Promise<readonly string[]>;
  /** Takes everything back. */
  close(): Promise<void>;
}
