import type { Sysctl } from './commands.ts';
import { IpvsError } from './errors.ts';

interface Setting {
  /** The default, as its file shows it. */
  readonly value: string;
  /** Accepted range of the integer, or of both integers; both ends included. */
  readonly min: number;
  readonly max: number;
  readonly meaning: string;
}

const INT_MIN = -2147483648;
const INT_MAX = 2147483647;
/** Seconds that fit an int as jiffies, of which a second has 100 (the kernel that the rules were recorded on). */
const JIFFIES_MAX_SEC = Math.floor(INT_MAX / 100);

const ULONG_MAX = 2n ** 64n - 1n;

/** An integer as C writes it: decimal, octal or hexadecimal, between blanks. */
const INTEGER = /^[\t\n\v\f\r ]*(-?)(0[xX][\da-fA-F]+|0[0-7]*|[1-9]\d*)(?=[\t\n ]|$)/;

/** The kernel copies one character more and takes no integer that fills the space. */
const INTEGER_MAX_CHARS = 20;

const int = (value: number, meaning: string, min = INT_MIN, max = INT_MAX): Setting => ({
  value: String(value),
  min,
  max,
  meaning,
});

const seconds = (value: number, meaning: string): Setting =>
  int(value, meaning, -JIFFIES_MAX_SEC, JIFFIES_MAX_SEC);

/** The modes of a defence: 0 off, 1 and 2 when memory is low, 3 always. */
const defence = (meaning: string): Setting => int(0, meaning, 0, 3);

/** The files of /proc/sys/net/ipv4/vs (Linux 6.1): default, range, meaning. */
export const SETTINGS = {
  am_droprate: int(10, 'every how many-th new connection drop_packet drops in mode 3'),
  amemthresh: int(1024, 'pages of free memory below which the automatic defences start'),
  backup_only: int(0, 'while the backup daemon runs, incoming packets are not directed'),
  cache_bypass: int(0, 'fwmark services without server forward to the original destination'),
  conn_reuse_mode: int(1, 'when a client port used again is scheduled anew (bitmap)'),
  conntrack: int(0, 'keep netfilter conntrack for new connections'),
  debug_level: int(0, 'accepted and without effect, as in kernels built without debugging'),
  drop_entry: defence('drop random entries: 0 off, 1 and 2 when memory is low, 3 always'),
  drop_packet: defence('drop every n-th new connection: 0 off, 1 and 2 when memory is low, 3 always'),
  expire_nodest_conn: int(0, 'connections of deleted servers are ended instead of stalled'),
  expire_quiescent_template: int(0, 'templates to servers of weight 0 are not used for new connections'),
  ignore_tunneled: int(0, 'accepted and without effect: what the host unpacks is directed in any case'),
  lblc_expiration: seconds(86400, 'seconds after which unused lblc entries go'),
  lblcr_expiration: seconds(86400, 'seconds after which unused lblcr entries go'),
  nat_icmp_send: int(0, 'port unreachable to masqueraded servers whose packets match no connection'),
  pmtu_disc: int(1, '0: tunnel packets may be fragmented instead of refused'),
  run_estimation: int(1, '0: statistics and rates stand still'),
  schedule_icmp: int(0, 'ICMP errors may create connections'),
  secure_tcp: defence('the stricter TCP table: 0 off, 1 and 2 when memory is low, 3 always'),
  sloppy_sctp: int(0, 'schedule SCTP on any first chunk but ABORT'),
  sloppy_tcp: int(0, 'schedule TCP on any segment but RST'),
  snat_reroute: int(1, 'replies are routed again after translation'),
  sync_persist_mode: int(0, '1: connections of a template are not synchronised'),
  sync_ports: int(1, 'ports of the sync daemons, a power of two'),
  sync_qlen_max: int(196608, 'messages that may wait for the sync daemon', 0, 2 ** 64),
  sync_refresh_period: seconds(0, 'seconds between two messages for one unchanged connection'),
  sync_retries: int(0, 'how often a message is repeated', 0, 3),
  sync_sock_size: int(0, 'socket buffer of the sync daemons in bytes, 0 for the default'),
  sync_threshold: {
    value: '3\t50',
    min: 0,
    max: INT_MAX,
    meaning: 'packets before, and between, two messages',
  },
  sync_version: int(1, 'format of sync messages sent', 0, 1),
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof SETTINGS;

/** Settings that switch between 1, memory suffices, and 2, it is low. */
export const DEFENCES = ['drop_entry', 'drop_packet', 'secure_tcp'] as const;
export type DefenceName = (typeof DEFENCES)[number];

const isDefence = (name: SettingName): boolean => DEFENCES.some((defence) => defence === name);

const isSetting = (name: string): name is SettingName => Object.hasOwn(SETTINGS, name);

/** The values of the settings; texts as their files show them. */
export class Settings {
  private readonly values = new Map<SettingName, string>();
  /** The first integer of each value, for the packet path. */
  readonly numbers: Readonly<Record<SettingName, number>>;
  /** The second integer of sync_threshold. */
  syncPeriod = secondOf(SETTINGS.sync_threshold.value);

  constructor() {
    // Made in one go: an object that grows name by name becomes a dictionary, slow to read for every packet.
    this.numbers = Object.fromEntries(
      Object.entries(SETTINGS).map(([name, { value }]) => [name, Number.parseInt(value, 10)]),
    ) as Record<SettingName, number>;
  }

  /** The first integer of the value. */
  number(name: SettingName): number {
    return this.numbers[name];
  }

  isOn(name: SettingName): boolean {
    return this.numbers[name] !== 0;
  }

  /**
   * Takes a text as one writes it into the file. A text of one integer leaves the second one of a pair as it is; what
   * follows the wanted integers is not looked at.
   *
   * @throws IpvsError ENOENT (unknown name), EINVAL (malformed or out of range); nothing is changed then.
   */
  set(name: string, text: string): void {
    if (!isSetting(name)) throw new IpvsError('ENOENT', `no setting is named net.ipv4.vs.${name}`);
    const present = this.text(name).split('\t').map(BigInt);
    const written = parseIntegers(text, present.length, isUnsigned(name) ? '' : '-');
    const values = present.map((old, i) => written?.[i] ?? old);
    if (!written || !isAccepted(name, values)) {
      throw new IpvsError('EINVAL', `net.ipv4.vs.${name} does not take the value '${text.trim()}'`);
    }
    // The next look at memory says whether it is 2.
    const isDefending = isDefence(name) && values[0] === 2n;
    this.store(name, isDefending ? '1' : values.join('\t'));
  }

  /** Says of a defence in mode 1 or 2 whether memory is low, so that it defends. */
  setDefending(name: DefenceName, isDefending: boolean): void {
    this.store(name, isDefending ? '2' : '1');
  }

  private store(name: SettingName, value: string): void {
    this.values.set(name, value);
    (this.numbers as Record<SettingName, number>)[name] = Number.parseInt(value, 10);
    if (name === 'sync_threshold') this.syncPeriod = secondOf(value);
  }

  /** Without a name: all, sorted by name. @throws IpvsError ENOENT */
  list(name: string | undefined): Sysctl[] {
    if (name === undefined) {
      return (Object.keys(SETTINGS) as SettingName[])
        .sort()
        .map((each) => ({ name: each, value: this.text(each) }));
    }
    if (!isSetting(name)) throw new IpvsError('ENOENT', `no setting is named net.ipv4.vs.${name}`);
    return [{ name, value: this.text(name) }];
  }

  private text(name: SettingName): string {
    return this.values.get(name) ?? SETTINGS[name].value;
  }
}

const secondOf = (pair: string): number => Number(pair.split('\t')[1]);

/** The kernel reads a file of this range as unsigned: there is no minus, not even before 0. */
const isUnsigned = (name: SettingName): boolean => SETTINGS[name].max > INT_MAX;

function isAccepted(name: SettingName, values: readonly bigint[]): boolean {
  const { min, max } = SETTINGS[name];
  if (values.some((value) => value < min || value > max)) return false;
  const [first, second] = values as [bigint, bigint?];
  if (name === 'sync_ports') return first > 0n && (first & (first - 1n)) === 0n;
  // Of the pair the threshold is to be below the period, unless that is 0.
  return second === undefined || second === 0n || first < second;
}

/**
 * @param minus the sign that an integer may have
 * @returns at least one and at most `count` integers, or `undefined` if one of them is malformed
 */
function parseIntegers(text: string, count: number, minus: '-' | ''): bigint[] | undefined {
  const values: bigint[] = [];
  let rest = text;
  while (values.length < count && (values.length === 0 || rest.trim() !== '')) {
    const match = INTEGER.exec(rest);
    const value = match ? integerOf(match, minus) : undefined;
    if (!match || value === undefined) return undefined;
    values.push(value);
    rest = rest.slice(match[0].length);
  }
  return values;
}

function integerOf([all, sign, digits]: RegExpExecArray, minus: '-' | ''): bigint | undefined {
  if ((sign !== '' && sign !== minus) || all!.trimStart().length > INTEGER_MAX_CHARS) return undefined;
  const magnitude = BigInt(/^0[0-7]/.test(digits!) ? `0o${digits}` : digits!);
  if (magnitude > ULONG_MAX) return undefined;
  return sign === '' ? magnitude : -magnitude;
}
