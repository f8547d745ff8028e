import type { ServingState } from '../core/commands.ts';
import type { Plane } from './plane.ts';
import type { ServiceView } from './service-view.ts';

/** No data plane: rules are kept and listed, nothing is served. */
export class TablesOnlyPlane implements Plane {
  private readonly director: { services(): Iterable<ServiceView> };

  constructor(director: { services(): Iterable<ServiceView> }) {
    this.director = director;
  }

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  reconcile(): Promise<void> {
    return Promise.resolve();
  }

  states(): ServingState[] {
    return Array.from(this.director.services(), ({ family, protocol, addr, port, fwmark }) => ({
      service: { family, protocol, addr, port, fwmark },
      plane: 'none',
      state: 'unservable: this director keeps tables only',
    }));
  }

  counters(): Readonly<Record<string, number>> {
    return {};
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  expired(): void {
    // No sockets hang on entries here.
  }
}
