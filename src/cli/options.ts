/** Whether an option takes an argument: never, always, or the next word if that does not look like an option. */
export type ArgumentKind = 'none' | 'required' | 'optional';

/**
 * What ipvsadm calls an option in its messages; several spellings may share one name. The order is the one in which a
 * command's options are checked, so it decides which of several faults is reported.
 */
export const OPTION_NAMES = [
  'numeric',
  'connection',
  'service-address',
  'scheduler',
  'persistent',
  'netmask',
  'real-server',
  'forwarding-method',
  'weight',
  'u-threshold',
  'l-threshold',
  'mcast-interface',
  'timeout',
  'daemon',
  'stats',
  'rate',
  'thresholds',
  'persistent-conn',
  'nosort',
  'syncid',
  'exact',
  'ops',
  'pe',
  'sched-flags',
  'mcast-group',
  'mcast-port',
  'mcast-ttl',
  'sync-maxlen',
  'tun-info',
  'tun-type',
  'tun-port',
  'tun-nocsum',
  'tun-csum',
  'tun-remcsum',
] as const;

export type OptionName = (typeof OPTION_NAMES)[number];

/** Where the help text shows an option. */
export type HelpSection = 'service' | 'option' | 'daemon';

export interface OptionSpec {
  /** Without the leading dashes. */
  readonly long: string;
  /** One character, or `undefined` for an option that has a long name only. */
  readonly short?: string;
  /** The help text keeps the short name to itself. */
  readonly hidesShort?: true;
  readonly argument: ArgumentKind;
  /** Its name in messages; `undefined` for an option that is not checked against the command. */
  readonly name?: OptionName;
  readonly section: HelpSection;
  /** How the help text shows the argument. */
  readonly argumentHelp?: string;
  /** One entry for each line of the help text. */
  readonly help: readonly string[];
}

const service = (
  long: string,
  short: string | undefined,
  argumentHelp: string,
  help: string,
): OptionSpec => ({
  long,
  ...(short ? { short } : {}),
  argument: 'required',
  name: 'service-address',
  section: 'service',
  argumentHelp,
  help: [help],
});

type Extra = Partial<Pick<OptionSpec, 'short' | 'hidesShort' | 'argument' | 'argumentHelp' | 'section'>>;

/** An option that is called by its long name in messages, too. */
const named = (name: OptionName, help: readonly string[], extra: Extra = {}): OptionSpec => ({
  long: name,
  argument: extra.argumentHelp ? 'required' : 'none',
  name,
  section: 'option',
  help,
  ...extra,
});

const method = (long: string, short: string, help: string): OptionSpec => ({
  long,
  short,
  argument: 'none',
  name: 'forwarding-method',
  section: 'option',
  help: [help],
});

const daemon = (name: OptionName, argumentHelp: string, help: string): OptionSpec =>
  named(name, [help], { section: 'daemon', argumentHelp });

/** Every option of ipvsadm 1.31 that is not a command, in the order of its help text. */
export const OPTIONS = [
  service('tcp-service', 't', 'service-address', 'service-address is host[:port]'),
  service('udp-service', 'u', 'service-address', 'service-address is host[:port]'),
  service('sctp-service', undefined, 'service-address', 'service-address is host[:port]'),
  service('fwmark-service', 'f', 'fwmark', 'fwmark is an integer greater than zero'),
  { long: 'ipv6', short: '6', argument: 'none', section: 'option', help: ['fwmark entry uses IPv6'] },
  named(
    'scheduler',
    ['one of rr|wrr|lc|wlc|lblc|lblcr|dh|sh|sed|nq|fo|ovf|mh,', 'the default scheduler is wlc.'],
    {
      short: 's',
      argumentHelp: 'scheduler',
    },
  ),
  named('pe', ['alternate persistence engine may be sip,', 'not set by default.'], {
    argumentHelp: 'engine',
  }),
  named('persistent', ['persistent service'], {
    short: 'p',
    argument: 'optional',
    argumentHelp: '[timeout]',
  }),
  named('netmask', ['persistent granularity mask'], { short: 'M', argumentHelp: 'netmask' }),
  named('real-server', ['server-address is host (and port)'], { short: 'r', argumentHelp: 'server-address' }),
  method('gatewaying', 'g', 'gatewaying (direct routing) (default)'),
  method('ipip', 'i', 'ipip encapsulation (tunneling)'),
  method('masquerading', 'm', 'masquerading (NAT)'),
  named('tun-type', ['one of ipip|gue|gre,', 'the default tunnel type is ipip.'], { argumentHelp: 'type' }),
  named('tun-port', ['tunnel destination port'], { argumentHelp: 'port' }),
  named('tun-nocsum', ['tunnel encapsulation without checksum']),
  named('tun-csum', ['tunnel encapsulation with checksum']),
  named('tun-remcsum', ['tunnel encapsulation with remote checksum']),
  named('weight', ['capacity of real server'], { short: 'w', argumentHelp: 'weight' }),
  named('u-threshold', ['upper threshold of connections'], { short: 'x', argumentHelp: 'uthreshold' }),
  named('l-threshold', ['lower threshold of connections'], { short: 'y', argumentHelp: 'lthreshold' }),
  named('connection', ['output of current IPVS connections'], { short: 'c' }),
  named('timeout', ['output of timeout (tcp tcpfin udp)']),
  named('daemon', ['output of daemon information']),
  named('stats', ['output of statistics information']),
  named('rate', ['output of rate information']),
  named('exact', ['expand numbers (display exact values)'], { short: 'X', hidesShort: true }),
  named('thresholds', ['output of thresholds information']),
  named('persistent-conn', ['output of persistent connection info']),
  named('tun-info', ['output of tunnel information']),
  named('nosort', ['disable sorting output of service/server entries']),
  { long: 'sort', argument: 'none', section: 'option', help: ['does nothing, for backwards compatibility'] },
  named('ops', ['one-packet scheduling'], { short: 'o' }),
  named('numeric', ['numeric output of addresses and ports'], { short: 'n' }),
  named('sched-flags', ['scheduler flags (comma-separated)'], { short: 'b', argumentHelp: 'flags' }),
  daemon('syncid', 'sid', 'syncid for connection sync (default=255)'),
  daemon('sync-maxlen', 'length', 'Max sync message length (default=1472)'),
  daemon('mcast-interface', 'interface', 'multicast interface for connection sync'),
  daemon('mcast-group', 'address', 'IPv4/IPv6 group (default=224.0.0.81)'),
  daemon('mcast-port', 'port', 'UDP port (default=8848)'),
  daemon('mcast-ttl', 'ttl', 'Multicast TTL (default=1)'),
] as const satisfies readonly OptionSpec[];
