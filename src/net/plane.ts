import type { Command, ServingState } from '../core/commands.ts';
import type { FlowEvents } from '../core/flow.ts';

/** A data plane beside the core. The director's host calls `prepare`, then the core's `apply`, then `reconcile`. */
export interface Plane extends FlowEvents {
  /**
   * Tries what a change will need, before it is applied. Rejects with IpvsError if this plane can never serve it;
   * leaves nothing behind then.
   */
  prepare(command: Command): Promise<void>;
  /**
   * Brings listeners and flows in line with the services as they are after `command` was applied or refused;
   * `undefined`: after any number of changes.
   */
  reconcile(command: Command | undefined): Promise<void>;
  states(): readonly ServingState[];
  counters(): Readonly<Record<string, number>>;
  /** Stops accepting, lets flows end for up to `drainMs`, then closes all. Resolves when nothing is open. */
  stop(drainMs: number): Promise<void>;
}
