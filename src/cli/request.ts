import type { Command } from '../core/commands.ts';
import type { ServiceKey } from '../core/config.ts';
import type { CommandName } from './commands.ts';

/** The forms of the table: what is shown of every service and server. */
export type TableForm = 'plain' | 'stats' | 'rate' | 'thresholds' | 'persistent-conn' | 'tun-info';

export interface TableOptions {
  readonly form: TableForm;
  readonly numeric: boolean;
  /** Whether counters are written in full. */
  readonly exact: boolean;
  readonly sorted: boolean;
}

/** What a command line asks for. */
export type Request =
  | { readonly kind: 'change'; readonly command: CommandName; readonly change: Command }
  /** Without a service: all of them, after a line that tells the version. */
  | { readonly kind: 'list-table'; readonly service: ServiceKey | undefined; readonly options: TableOptions }
  | { readonly kind: 'list-connections'; readonly numeric: boolean; readonly withEngine: boolean }
  | { readonly kind: 'list-timeouts' }
  | { readonly kind: 'list-daemons' }
  | { readonly kind: 'save'; readonly numeric: boolean }
  | { readonly kind: 'restore' }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' };
