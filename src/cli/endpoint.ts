import { type Address, parseAddress } from '../core/address.ts';
import { inetAton } from './inet-aton.ts';
import type { Names } from './names.ts';
import { parseDecimal } from './numbers.ts';

const PORT_MAX = 65535;

export interface Endpoint {
  readonly addr: Address;
  /** `undefined` where none was given. */
  readonly port: number | undefined;
}

/**
 * Reads `host`, `host:port`, `[IPv6]:port` or a bare IPv6 address. Hosts are IPv4 addresses in any form that
 * inet_aton(3) knows, or names; ports are decimal numbers or names of the protocol. An IPv4 host in brackets is taken
 * too, and its port is then ignored, as ipvsadm does. A number alone is no address.
 *
 * @param protocol number whose service names count; 0 for none
 * @returns `undefined` for anything else
 */
export async function parseEndpoint(
  text: string,
  protocol: number,
  names: Names,
): Promise<Endpoint | undefined> {
  if (text.startsWith('[')) return parseBracketed(text, protocol, names);
  if (/^\d+$/.test(text)) return undefined;
  const bare = parseIpv6(text);
  if (bare) return { addr: bare, port: undefined };
  const colon = text.indexOf(':');
  const port = colon < 0 ? undefined : parsePort(text.slice(colon + 1), protocol, names);
  if (colon >= 0 && port === undefined) return undefined;
  const addr = await parseHost(colon < 0 ? text : text.slice(0, colon), names);
  return addr && { addr, port };
}

/** Reads an IPv4 address in any form of inet_aton(3), or asks for a host's name. */
export async function parseHost(text: string, names: Names): Promise<Address | undefined> {
  if (text === '') return undefined;
  return inetAton(text) ?? (await names.hostAddress(text));
}

/** Reads an IPv6 address as inet_pton(3) does. */
export function parseIpv6(text: string): Address | undefined {
  return text.includes(':') ? parseAddress(text) : undefined;
}

async function parseBracketed(text: string, protocol: number, names: Names): Promise<Endpoint | undefined> {
  const close = text.lastIndexOf(']');
  if (close < 0 || text[close + 1] !== ':') return undefined;
  const host = text.slice(1, close);
  const addr = parseIpv6(host);
  if (addr) {
    const port = parsePort(text.slice(close + 2), protocol, names);
    return port === undefined ? undefined : { addr, port };
  }
  const addr4 = await parseHost(host, names);
  return addr4 && { addr: addr4, port: undefined };
}

function parsePort(text: string, protocol: number, names: Names): number | undefined {
  return parseDecimal(text, 0, PORT_MAX) ?? names.servicePort(text, protocol);
}
