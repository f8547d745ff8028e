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

const BLANK = 0x20;
const DIGITS = /^\d+$/;
/** By character code: the value of a hexadecimal digit, or -1. */
const HEX_DIGITS = Array.from({ length: 128 }, (_, code) =>
  '0123456789abcdef'.indexOf(String.fromCharCode(code).toLowerCase()),
);

/** The headings of a connection listing. */
export function printConnectionHeader(withEngine: boolean): string {
  const engine = withEngine ? '        pe name          pe_data' : '';
  return `IPVS connection entries\npro expire state       source             virtual            destination${engine}\n`;
}

/** @returns `undefined` for a line that is not an entry */
export function parseConnectionLine(line: string): ConnectionLine | undefined {
  const words = wordsOf(line);
  if (words.length < 9) return undefined;
  const client = parseEndpoint(words[1]!, words[2]!);
  const virtual = parseEndpoint(words[3]!, words[4]!);
  const dest = parseEndpoint(words[5]!, words[6]!);
  if (!client || !virtual || !dest || !DIGITS.test(words[8]!)) return undefined;
  return {
    protocol: words[0]!,
    client,
    virtual,
    dest,
    state: words[7]!,
    expiresSec: Number(words[8]),
    engine: words.length > 10 ? [words[9]!, words[10]!] : undefined,
  };
}

/** One line of a connection listing. */
export function printConnection(conn: ConnectionLine, withEngine: boolean, labels: Labels): string {
  const protocol = PROTOCOL_NUMBERS[conn.protocol] ?? PROTOCOL.IP;
  const { client, virtual, dest, engine } = conn;
  const expires = `${twoDigits(Math.floor(conn.expiresSec / 60))}:${twoDigits(conn.expiresSec % 60)}`;
  const from = labels.endpoint(client.addr, client.port, protocol).padEnd(ENDPOINT_WIDTH);
  const at = labels.endpoint(virtual.addr, virtual.port, protocol).padEnd(ENDPOINT_WIDTH);
  const to = labels.endpoint(dest.addr, dest.port, protocol);
  const line = `${conn.protocol.padEnd(3)} ${expires.padEnd(6)} ${conn.state.padEnd(11)} ${from} ${at}`;
  if (!withEngine || !engine) return `${line} ${to}\n`;
  return `${line} ${to.padEnd(16)} ${engine[0].padEnd(18)} ${engine[1]}\n`;
}

const twoDigits = (value: number): string => (value < 10 ? `0${value}` : String(value));

/** Splits a line at its blanks and control characters. */
function wordsOf(line: string): string[] {
  const words: string[] = [];
  let start = 0;
  for (let at = 0; at <= line.length; at++) {
    if (at < line.length && line.charCodeAt(at) > BLANK) continue;
    if (at > start) words.push(line.slice(start, at));
    start = at + 1;
  }
  return words;
}

/** Reads an address in hexadecimal digits, IPv4 without and IPv6 with colons, and a port. */
function parseEndpoint(addr: string, port: string): Endpoint | undefined {
  const number = port.length === 4 ? parseHex(port) : -1;
  if (number < 0) return undefined;
  const word = addr.length === 8 ? parseHex(addr) : -1;
  const parsed = word < 0 ? parseAddress(addr) : ipv4(word);
  return parsed && { addr: parsed, port: number };
}

/** @returns -1 if something else than hexadecimal digits is there. */
function parseHex(text: string): number {
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = HEX_DIGITS[text.charCodeAt(i)];
    if (digit === undefined || digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}
