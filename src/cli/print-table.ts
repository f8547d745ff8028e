import {
  type DestEntry,
  METHOD,
  type ServiceEntry,
  type StatsSnapshot,
  TUNNEL_TYPE,
} from '../core/config.ts';
import type { Labels } from './labels.ts';
import type { ListedService } from './listing-order.ts';
import type { TableForm, TableOptions } from './request.ts';
import { serviceAttributes } from './service-attributes.ts';
import { TUNNEL_FLAG } from './tunnel-flags.ts';

/** Width of the first column, that with the names. */
const NAME_WIDTH = 33;
const STATS_WIDTH = 9;

const SERVICE_HEADER = 'Prot LocalAddress:Port Scheduler Flags\n';

const HEADERS: Readonly<Record<TableForm, string>> = {
  plain: `${SERVICE_HEADER}  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n`,
  'tun-info': `${SERVICE_HEADER}  -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn InActConn\n`,
  stats: statsHeader(['Conns', 'InPkts', 'OutPkts', 'InBytes', 'OutBytes']),
  rate: statsHeader(['CPS', 'InPPS', 'OutPPS', 'InBPS', 'OutBPS']),
  thresholds:
    'Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn \n  -> RemoteAddress:Port\n',
  'persistent-conn':
    'Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn \n  -> RemoteAddress:Port\n',
};

const METHOD_NAMES: Readonly<Record<number, string>> = {
  [METHOD.MASQ]: 'Masq',
  [METHOD.LOCAL]: 'Local',
  [METHOD.TUNNEL]: 'Tunnel',
  [METHOD.ROUTE]: 'Route',
};

const CHECKSUM_MARKS: Readonly<Record<number, string>> = {
  [TUNNEL_FLAG.NOCSUM]: '-c',
  [TUNNEL_FLAG.CSUM]: '+c',
  [TUNNEL_FLAG.REMCSUM]: 'r+c',
};

/** The first line of a listing of all services. */
export function printVersionLine({ version, tableSize }: { version: number; tableSize: number }): string {
  const parts = [version >> 16, (version >> 8) & 255, version & 255];
  return `IP Virtual Server version ${parts.join('.')} (size=${tableSize})\n`;
}

/** The headings of a table and its services, in the order given. */
export function printTable(
  listing: readonly ListedService[],
  options: Pick<TableOptions, 'form' | 'exact'>,
  labels: Labels,
): string {
  const lines: string[] = [];
  const columns = DEST_COLUMNS[options.form];
  for (const { service, dests } of listing) {
    lines.push(serviceLine(service, options, labels));
    for (const dest of dests) {
      const name = `  -> ${labels.destination(service, dest.addr, dest.port)}`.padEnd(NAME_WIDTH);
      lines.push(name + columns(dest, options.exact));
    }
  }
  lines.push('');
  return HEADERS[options.form] + lines.join('\n');
}

/** Writes a counter in at most eight digits, with K, M, G or T for what is cut off; in full if `exact`. */
export function formatCounter(value: number, exact: boolean): string {
  if (exact) return ` ${String(value).padStart(STATS_WIDTH - 1)}`;
  if (value < 1e8) return String(value).padStart(STATS_WIDTH);
  const scaled = (unit: number, letter: string): string =>
    `${Math.floor(value / unit)}${letter}`.padStart(STATS_WIDTH);
  if (value < 1e9) return scaled(1e3, 'K');
  if (value < 1e11) return scaled(1e6, 'M');
  return value < 1e14 ? scaled(1e9, 'G') : scaled(1e12, 'T');
}

function statsHeader(columns: readonly string[]): string {
  const heads = columns.map((column) => column.padStart(STATS_WIDTH)).join('');
  return `${'Prot LocalAddress:Port'.padEnd(NAME_WIDTH)}${heads}\n  -> RemoteAddress:Port\n`;
}

function serviceLine(
  service: ServiceEntry,
  { form, exact }: Pick<TableOptions, 'form' | 'exact'>,
  labels: Labels,
): string {
  const name = labels.service(service);
  if (form === 'stats' || form === 'rate')
    return name.padEnd(NAME_WIDTH) + statsColumns(service.stats, form, exact);
  const { scheduler, schedFlags, persistence, netmask, engine, onePacket } = serviceAttributes(service);
  return [
    `${name} ${scheduler}`,
    schedFlags === undefined ? '' : ` (${schedFlags})`,
    persistence === undefined ? '' : ` persistent ${persistence}`,
    netmask === undefined ? '' : ` mask ${netmask}`,
    // An engine without persistence is kept, but not shown.
    persistence === undefined || engine === undefined ? '' : ` pe ${engine}`,
    onePacket ? ' ops' : '',
  ].join('');
}

/** What follows a destination's name, by the form of the table. */
const DEST_COLUMNS: Readonly<Record<TableForm, (dest: DestEntry, exact: boolean) => string>> = {
  stats: (dest, exact) => statsColumns(dest.stats, 'stats', exact),
  rate: (dest, exact) => statsColumns(dest.stats, 'rate', exact),
  thresholds: (dest) =>
    ` ${column(dest.upperThreshold, 10)} ${column(dest.lowerThreshold, 10)} ${connections(dest)}`,
  'persistent-conn': (dest) =>
    ` ${column(dest.weight, 9)} ${column(dest.persistent, 11)} ${connections(dest)}`,
  'tun-info': (dest) =>
    ` ${methodName(dest)} ${column(tunnelInfo(dest), 13)} ${column(dest.weight, 6)} ${connections(dest)}`,
  plain: (dest) => ` ${methodName(dest)} ${column(dest.weight, 6)} ${connections(dest)}`,
};

const connections = ({ active, inactive }: DestEntry): string =>
  `${column(active, 10)} ${column(inactive, 10)}`;

const column = (value: number | string, width: number): string => String(value).padEnd(width);

const methodName = (dest: DestEntry): string => column(METHOD_NAMES[dest.method] ?? '(null)', 7);

function tunnelInfo(dest: DestEntry): string {
  if (dest.method !== METHOD.TUNNEL) return 'n/a';
  const checksum = CHECKSUM_MARKS[dest.tunnelFlags] ?? '(null)';
  if (dest.tunnelType === TUNNEL_TYPE.IPIP) return 'ipip';
  if (dest.tunnelType === TUNNEL_TYPE.GUE) return `gue:${dest.tunnelPort}:${checksum}`;
  return dest.tunnelType === TUNNEL_TYPE.GRE ? `gre:${checksum}` : 'n/a';
}

function statsColumns(stats: StatsSnapshot, form: 'stats' | 'rate', exact: boolean): string {
  const values =
    form === 'stats'
      ? [stats.conns, stats.inPackets, stats.outPackets, stats.inBytes, stats.outBytes]
      : [stats.cps, stats.inPps, stats.outPps, stats.inBps, stats.outBps];
  return values.map((value) => formatCounter(value, exact)).join('');
}
