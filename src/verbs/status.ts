import { connectToDirector } from '../control/client.ts';
import { AF_INET6, formatAddress } from '../core/address.ts';
import type { ServingState, Status } from '../core/commands.ts';
import { PROTOCOL, type ServiceKey } from '../core/config.ts';
import { expectPositionals, parseVerbArgs } from './arguments.ts';
import type { Terminal } from './terminal.ts';

/** Of the JSON form; it changes when a field changes its meaning or goes. */
const JSON_VERSION = 1;

const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  [PROTOCOL.TCP]: 'TCP',
  [PROTOCOL.UDP]: 'UDP',
  [PROTOCOL.SCTP]: 'SCTP',
};

/** `uipvs status [--json | --footprint]` */
export async function runStatus(args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = parseVerbArgs('status', args, {
    json: { type: 'boolean', default: false },
    footprint: { type: 'boolean', default: false },
  });
  expectPositionals('status', positionals, 0);
  const director = await connectToDirector({ autostart: false });
  try {
    const status = await director.ask({ query: 'status' });
    if (values.footprint) await terminal.print(status.footprint.map((line) => `${line}\n`).join(''));
    else await terminal.print(values.json ? statusJson(status) : statusText(status, director.runtimeDir));
  } finally {
    director.close();
  }
  return 0;
}

/** For people. */
export function statusText(status: Status, runtimeDir: string): string {
  const lines = [
    `uipvs ${status.version}, pid ${status.pid}, up ${duration(status.uptimeSec)}, in ${runtimeDir}`,
    `plane ${status.plane}, loop ${status.io}`,
    ...(status.capture === '' ? [] : [`capture ${status.capture}`]),
    `connections ${status.connections} of ${status.connectionsMax}`,
    `services ${status.services.length}`,
    ...table(status.services.map(serviceRow)),
    ...status.problems.map((problem) => `problem: ${problem}`),
  ];
  const counters = Object.entries(status.counters).map(([name, value]) => [name, String(value)]);
  if (counters.length > 0) lines.push('counters', ...table(counters));
  return `${lines.join('\n')}\n`;
}

/** For programs. */
function statusJson(status: Status): string {
  const { services, counters, connections, connectionsMax, version, ...director } = status;
  const form = {
    version: JSON_VERSION,
    director: { version, ...director },
    connections: { current: connections, max: connectionsMax },
    services: services.map(serviceJson),
    counters,
  };
  return `${JSON.stringify(form, undefined, 2)}\n`;
}

function serviceJson({ service, plane, state }: ServingState) {
  const protocol = protocolName(service).toLowerCase();
  const identity =
    service.fwmark === 0
      ? { protocol, address: formatAddress(service.addr), port: service.port }
      : { fwmark: service.fwmark, family: service.family === AF_INET6 ? 'inet6' : 'inet' };
  return { ...identity, plane, state };
}

function serviceRow({ service, plane, state }: ServingState): string[] {
  if (service.fwmark === 0) return [protocolName(service), endpoint(service), plane, state];
  const suffix = service.family === AF_INET6 ? ' IPv6' : '';
  return ['FWM', `${service.fwmark}${suffix}`, plane, state];
}

const protocolName = (service: ServiceKey): string =>
  PROTOCOL_NAMES[service.protocol] ?? String(service.protocol);

function endpoint(service: ServiceKey): string {
  const address = formatAddress(service.addr);
  return service.family === AF_INET6 ? `[${address}]:${service.port}` : `${address}:${service.port}`;
}

/** Cells in columns, the last one as long as it likes. */
function table(rows: readonly (readonly string[])[]): string[] {
  const width = (column: number): number => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  return rows.map((row) => `  ${row.map((cell, i) => cell.padEnd(width(i))).join('  ')}`.trimEnd());
}

function duration(seconds: number): string {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
