import { type Address, ipv4, parseAddress } from '../core/address.ts';
import { PROTOCOL } from '../core/config.ts';
import type { Labels } from './labels.ts';

/** A connection entry as a line of /proc/net/ip_vs_conn tells it. */
export interface ConnectionLine {
  readonly protocol: string;
  readonly client: Endpoint;
  readonly virtual: Endpoint;
  readonly dest: Endpoint;
  readonly state: string;
  /** Seconds until it expires. */
  readonly expiresSec: number;
  /** Persistence engine and its data; `undefined` for most. */
  readonly engine: readonly [string, string] | undefined;
}

interface Endpoint {
  readonly addr: Address;
  readonly port: number;
}

const PROTOCOL_NUMBERS: Readonly<Record<string, number>> = {
  TCP: PROTOCOL.TCP,
  UDP: PROTOCOL.UDP,
};

const ENDPOINT_WIDTH = 18;

/** The headings of a connection listing. */
export function printConnectionHeader(withEngine: boolean): string {
  const engine = withEngine ? '        pe name          pe_data' : '';
  return `IPVS connection entries\npro expire state       source             virtual            destination${engine}\n`;
}

/** @returns `undefined` for a line that is not an entry */
export function parseConnectionLine(line: string): ConnectionLine | undefined {
  const [protocol, caddr, cport, vaddr, vport, daddr, dport, state, expires, ...engine] = line
    .trim()
    .split(/\s+/);
  const client = parseEndpoint(caddr, cport);
  const virtual = parseEndpoint(vaddr, vport);
  const dest = parseEndpoint(daddr, dport);
  if (!protocol || !client || !virtual || !dest || !state || !/^\d+$/.test(expires ?? '')) return undefined;
  const [name, data] = engine;
  return {
    protocol,
    client,
    virtual,
    dest,
    state,
    expiresSec: Number(expires),
    engine: name !== undefined && data !== undefined ? [name, data] : undefined,
  };
}

/** One line of a connection listing. */
export function printConnection(conn: ConnectionLine, withEngine: boolean, labels: Labels): string {
  const protocol = PROTOCOL_NUMBERS[conn.protocol] ?? PROTOCOL.IP;
  const label = ({ addr, port }: Endpoint): string => labels.endpoint(addr, port, protocol);
  const twoDigits = (value: number): string => String(value).padStart(2, '0');
  const expires = `${twoDigits(Math.floor(conn.expiresSec / 60))}:${twoDigits(conn.expiresSec % 60)}`;
  const columns = [
    conn.protocol.padEnd(3),
    expires.padEnd(6),
    conn.state.padEnd(11),
    label(conn.client).padEnd(ENDPOINT_WIDTH),
    label(conn.virtual).padEnd(ENDPOINT_WIDTH),
    label(conn.dest),
  ];
  if (!withEngine || !conn.engine) return `${columns.join(' ')}\n`;
  const dest = columns.pop()!.padEnd(16);
  return `${[...columns, dest, conn.engine[0].padEnd(18), conn.engine[1]].join(' ')}\n`;
}

/** Reads an address in hexadecimal digits, IPv4 without and IPv6 with colons, and a port. */
function parseEndpoint(addr: string | undefined, port: string | undefined): Endpoint | undefined {
  if (!addr || !port || !/^[0-9A-Fa-f]{4}$/.test(port)) return undefined;
  const parsed = /^[0-9A-Fa-f]{8}$/.test(addr) ? ipv4(Number.parseInt(addr, 16)) : parseAddress(addr);
  return parsed && { addr: parsed, port: Number.parseInt(port, 16) };
}
