import { DAEMON_STATE } from '../core/config.ts';
import type { ArgumentKind, OptionName } from './options.ts';

export interface CommandSpec {
  /** Without the leading dashes. */
  readonly long: string;
  /** All one-letter spellings. */
  readonly short: readonly string[];
  readonly argument: ArgumentKind;
  /** Options without which the command is refused. */
  readonly needs: readonly OptionName[];
  /** Options that may be given. Any other one is refused. */
  readonly allows: readonly OptionName[];
  /** Options of which only one may be given. */
  readonly exclusive: readonly OptionName[];
  /** What the help text shows after the program's name; empty for a command that has no line there. */
  readonly synopsis: string;
  /** The left and the right half of its line in the help text's list; `undefined` if it has none. */
  readonly help?: readonly [string, string];
}

const SERVICE_OPTIONS = ['scheduler', 'persistent', 'netmask', 'ops', 'pe', 'sched-flags'] as const;

const SERVER_OPTIONS = [
  'forwarding-method',
  'weight',
  'u-threshold',
  'l-threshold',
  'tun-type',
  'tun-port',
  'tun-nocsum',
  'tun-csum',
  'tun-remcsum',
] as const;

const LIST_OPTIONS = [
  'numeric',
  'stats',
  'rate',
  'thresholds',
  'persistent-conn',
  'nosort',
  'syncid',
  'exact',
  'tun-info',
] as const;

const DAEMON_OPTIONS = [
  'mcast-interface',
  'syncid',
  'sync-maxlen',
  'mcast-group',
  'mcast-port',
  'mcast-ttl',
] as const;

const command = (long: string, short: readonly string[], rest: Partial<CommandSpec>): CommandSpec => ({
  long,
  short,
  argument: 'none',
  needs: [],
  allows: [],
  exclusive: [],
  synopsis: '',
  ...rest,
});

/** Arguments of `--start-daemon` and `--stop-daemon`, and the state that each one means. */
export const DAEMON_STATES = { master: DAEMON_STATE.MASTER, backup: DAEMON_STATE.BACKUP } as const;

const ADD_EDIT_SERVICE =
  'virtual-service [-s scheduler] [-p [timeout]] [-M netmask] [--pe persistence_engine] [-b sched-flags]';

/**
 * Every command of ipvsadm 1.31, under the name that its messages use, with the options it needs, allows or takes one
 * of. Measured option by option on the real program.
 */
export const COMMANDS = {
  'add-service': command('add-service', ['A'], {
    needs: ['service-address'],
    allows: SERVICE_OPTIONS,
    synopsis: `-A|E ${ADD_EDIT_SERVICE}`,
    help: ['--add-service     -A', 'add virtual service with options'],
  }),
  'edit-service': command('edit-service', ['E'], {
    needs: ['service-address'],
    allows: SERVICE_OPTIONS,
    help: ['--edit-service    -E', 'edit virtual service with options'],
  }),
  'delete-service': command('delete-service', ['D'], {
    needs: ['service-address'],
    synopsis: '-D virtual-service',
    help: ['--delete-service  -D', 'delete virtual service'],
  }),
  flush: command('clear', ['C'], { synopsis: '-C', help: ['--clear           -C', 'clear the whole table'] }),
  restore: command('restore', ['R'], {
    synopsis: '-R',
    help: ['--restore         -R', 'restore rules from stdin'],
  }),
  save: command('save', ['S'], {
    allows: ['numeric'],
    synopsis: '-S [-n]',
    help: ['--save            -S', 'save rules to stdout'],
  }),
  'add-server': command('add-server', ['a'], {
    needs: ['service-address', 'real-server'],
    allows: SERVER_OPTIONS,
    synopsis: '-a|e virtual-service -r server-address [options]',
    help: ['--add-server      -a', 'add real server with options'],
  }),
  'edit-server': command('edit-server', ['e'], {
    needs: ['service-address', 'real-server'],
    allows: SERVER_OPTIONS,
    help: ['--edit-server     -e', 'edit real server with options'],
  }),
  'delete-server': command('delete-server', ['d'], {
    needs: ['service-address', 'real-server'],
    synopsis: '-d virtual-service -r server-address',
    help: ['--delete-server   -d', 'delete real server'],
  }),
  list: command('list', ['L', 'l'], {
    allows: LIST_OPTIONS,
    exclusive: ['connection', 'service-address', 'timeout', 'daemon'],
    synopsis: '-L|l [virtual-service] [options]',
    help: ['--list            -L|-l', 'list the table'],
  }),
  zero: command('zero', ['Z'], {
    allows: ['service-address'],
    synopsis: '-Z [virtual-service]',
    help: ['--zero            -Z', 'zero counters in a service or all services'],
  }),
  set: command('set', [], {
    synopsis: '--set tcp tcpfin udp',
    help: ['--set tcp tcpfin udp', 'set connection timeout values'],
  }),
  'start-daemon': command('start-daemon', [], {
    argument: 'required',
    allows: DAEMON_OPTIONS,
    synopsis: '--start-daemon {master|backup} [daemon-options]',
    help: ['--start-daemon', 'start connection sync daemon'],
  }),
  'stop-daemon': command('stop-daemon', [], {
    argument: 'required',
    allows: ['syncid'],
    synopsis: '--stop-daemon {master|backup}',
    help: ['--stop-daemon', 'stop connection sync daemon'],
  }),
  help: command('help', ['h'], {
    synopsis: '-h',
    help: ['--help            -h', 'display this help message'],
  }),
  version: command('version', ['v'], {}),
} as const;

export type CommandName = keyof typeof COMMANDS;

/** @returns the table entry of a command, typed alike for all of them. */
export const commandSpec = (name: CommandName): CommandSpec => COMMANDS[name];
