import { type Address, AF_INET } from './address.ts';
import type { ProcName, TextSlice } from './commands.ts';
import { CONN_TABLE_SIZE, IPVS_VERSION, METHOD } from './config.ts';
import type { Director } from './director.ts';
import { ConnLines, connHeader } from './proc-conn.ts';
import { protocolName, type Service } from './service.ts';

/** Connection entries looked at for one slice. */
const SLICE_IDS = 250;
/** The kernel's ticks a second, in which `ip_vs` prints persistence timeouts. */
const HZ = 100;

/**
 * A slice of a text of /proc/net (formats: ip_vs_ctl.c, ip_vs_conn.c, ip_vs_app.c).
 * @param from 0, or the `next` of the slice before
 */
export function procSlice(director: Director, name: ProcName, from: number, now: number): TextSlice {
  switch (name) {
    case 'ip_vs':
      return whole(servicesText(director));
    case 'ip_vs_conn':
    case 'ip_vs_conn_sync':
      return connSlice(director, name, from, now);
    case 'ip_vs_stats':
      return whole(statsText(director));
    case 'ip_vs_stats_percpu':
      return whole(perCpuText(director));
    case 'ip_vs_app':
      return whole('prot port    usecnt name\n');
  }
}

const whole = (text: string): TextSlice => ({ text, next: -1 });

function servicesText(director: Director): string {
  const version = [IPVS_VERSION >>> 16, (IPVS_VERSION >>> 8) & 255, IPVS_VERSION & 255].join('.');
  const header = [
    `IP Virtual Server version ${version} (size=${CONN_TABLE_SIZE})`,
    'Prot LocalAddress:Port Scheduler Flags',
    '  -> RemoteAddress:Port Forward Weight ActiveConn InActConn',
  ];
  const lines = Array.from(director.services(), (service) => [serviceLine(service), ...destLines(service)]);
  return `${[...header, ...lines.flat()].join('\n')}\n`;
}

function serviceLine(service: Service): string {
  const persistent = service.isPersistent
    ? `persistent ${service.timeoutSec * HZ} ${hex(persistentMask(service), 8)}`
    : '';
  const ops = service.isOnePacket ? 'ops ' : '';
  if (service.fwmark !== 0)
    return `FWM  ${hex(service.fwmark, 8)} ${service.schedulerName} ${ops}${persistent}`;
  const local = `${protocolName(service.protocol)}  ${address(service.addr)}:${hex(service.port, 4)}`;
  if (service.family !== AF_INET) return `${local} ${service.schedulerName} ${persistent}`;
  return `${local} ${service.schedulerName} ${ops} ${persistent}`;
}

/** The mask as the kernel prints it: it swaps the bytes of an IPv6 prefix length. */
function persistentMask(service: Service): number {
  if (service.family === AF_INET) return service.netmask;
  return (service.netmask << 24) | ((service.netmask & 0xff00) << 8);
}

function destLines(service: Service): string[] {
  const methods: Readonly<Record<number, string>> = {
    [METHOD.LOCAL]: 'Local',
    [METHOD.TUNNEL]: 'Tunnel',
    [METHOD.ROUTE]: 'Route',
  };
  return service.dests.map((dest) => {
    const numbers = `${decimal(dest.weight, 6)} ${decimal(dest.active, 10)} ${decimal(dest.inactive, 10)}`;
    return `  -> ${address(dest.addr)}:${hex(dest.port, 4)}      ${(methods[dest.method] ?? 'Masq').padEnd(7)} ${numbers}`;
  });
}

function connSlice(
  director: Director,
  name: 'ip_vs_conn' | 'ip_vs_conn_sync',
  from: number,
  now: number,
): TextSlice {
  const { conns } = director.life;
  const end = Math.min(from + SLICE_IDS, conns.high);
  const lines = new ConnLines(director, name);
  for (let id = from; id < end; id++) if (conns.isInUse(id)) lines.add(id, now);
  const header = from === 0 ? connHeader(name) : '';
  return { text: header + lines.text(), next: end < conns.high ? end : -1 };
}

function statsText(director: Director): string {
  const stats = director.total.read();
  return [
    '   Total Incoming Outgoing         Incoming         Outgoing',
    '   Conns  Packets  Packets            Bytes            Bytes',
    columns([stats.conns, stats.inPackets, stats.outPackets, stats.inBytes, stats.outBytes]),
    '',
    ' Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s',
    columns([stats.cps, stats.inPps, stats.outPps, stats.inBps, stats.outBps]),
    '',
  ].join('\n');
}

function perCpuText(director: Director): string {
  const stats = director.total.read();
  return [
    '       Total Incoming Outgoing         Incoming         Outgoing',
    'CPU    Conns  Packets  Packets            Bytes            Bytes',
    `  0 ${columns(Array.from(director.total.readLive()))}`,
    `  ~ ${columns([stats.conns, stats.inPackets, stats.outPackets, stats.inBytes, stats.outBytes])}`,
    '',
    '     Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s',
    `    ${columns([stats.cps, stats.inPps, stats.outPps, stats.inBps, stats.outBps])}`,
    '',
  ].join('\n');
}

/** Three columns of 8 and two of 16 hexadecimal digits. */
function columns(values: readonly number[]): string {
  return values
    .map((value, i) =>
      value
        .toString(16)
        .toUpperCase()
        .padStart(i < 3 ? 8 : 16),
    )
    .join(' ');
}

const hex = (value: number, digits: number): string =>
  (value >>> 0).toString(16).toUpperCase().padStart(digits, '0');

const decimal = (value: number, width: number): string => String(value).padEnd(width);

/** IPv4 as 8 digits; IPv6 as 8 bracketed groups, nothing left out. */
function address(a: Address): string {
  if (a.family === AF_INET) return hex(a.words[0], 8);
  const groups = a.words.flatMap((word) => [word >>> 16, word & 0xffff]);
  return `[${groups.map((group) => group.toString(16).padStart(4, '0')).join(':')}]`;
}
