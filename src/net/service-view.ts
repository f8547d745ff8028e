import type { Address } from '../core/address.ts';
import type { ServiceKey } from '../core/config.ts';

/** What a plane reads of a real server. */
interface DestView {
  readonly addr: Address;
  readonly port: number;
  readonly weight: number;
  /** One of METHOD. */
  readonly method: number;
}

/** What a plane reads of a virtual service. */
export interface ServiceView extends ServiceKey {
  /** SERVICE_FLAG bits. */
  readonly flags: number;
  /** Persistence engine, '' for none. */
  readonly pe: string;
  readonly dests: readonly DestView[];
}

/** The director's services as a plane sees them. */
export interface ServicesView {
  all(): Iterable<ServiceView>;
  find(key: ServiceKey): ServiceView | undefined;
}
