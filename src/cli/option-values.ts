import { type Address, AF_INET, AF_INET6, parseAddress } from '../core/address.ts';
import { METHOD, PROTOCOL } from '../core/config.ts';
import { type Draft, WHOLE_IPV4_MASK, WHOLE_IPV6_PREFIX } from './draft.ts';
import { parseEndpoint, parseHost, parseIpv6 } from './endpoint.ts';
import type { Names } from './names.ts';
import { parseDecimal, parseLeadingInt } from './numbers.ts';
import type { OPTIONS } from './options.ts';
import { refuse } from './usage-error.ts';

/** Default persistence timeout in seconds. */
const PERSISTENCE_SEC = 360;
/** 31 days in seconds: the longest timeout that ipvsadm takes. */
const TIMEOUT_MAX_SEC = 31 * 24 * 3600;
const INT_MAX = 0x7fffffff;
const UINT_MAX = 0xffffffff;
const PORT_MAX = 65535;
/** A datagram's payload with the headers of IPv4 and UDP fills the largest packet. */
const SYNC_MAXLEN_MAX = 65535 - 20 - 8;

export type OptionLong = (typeof OPTIONS)[number]['long'];

type Reader = (draft: Draft, value: string, names: Names) => void | Promise<void>;

/**
 * Takes an option's argument into the draft, by the option's long name. Options without an entry have no argument to
 * read.
 *
 * @throws UsageError for an argument that ipvsadm refuses
 */
export const VALUE_READERS: Partial<Record<OptionLong, Reader>> = {
  'tcp-service': (draft, value, names) => readService(draft, PROTOCOL.TCP, value, names),
  'udp-service': (draft, value, names) => readService(draft, PROTOCOL.UDP, value, names),
  'sctp-service': (draft, value, names) => readService(draft, PROTOCOL.SCTP, value, names),
  'fwmark-service': (draft, value) => {
    const fwmark = parseDecimal(value, 1, UINT_MAX);
    if (fwmark === undefined) throw refuse(`invalid fwmark value \`${value}' specified`);
    draft.fwmark = fwmark;
    // Servers' ports may be named as TCP services.
    draft.protocol = PROTOCOL.TCP;
  },
  scheduler: (draft, value) => {
    draft.scheduler = value;
  },
  netmask: readNetmask,
  pe: (draft, value) => {
    draft.pe = value;
  },
  'sched-flags': (draft, value) => {
    draft.schedFlagsText = value;
  },
  'real-server': readServer,
  gatewaying: (draft) => {
    draft.method = METHOD.ROUTE;
  },
  ipip: (draft) => {
    draft.method = METHOD.TUNNEL;
  },
  masquerading: (draft) => {
    draft.method = METHOD.MASQ;
  },
  'tun-type': (draft, value) => {
    if (value !== 'ipip' && value !== 'gue' && value !== 'gre') throw refuse('illegal tunnel type specified');
    draft.tunnelType = value;
  },
  'tun-port': (draft, value) => {
    draft.tunnelPort = number(value, 1, PORT_MAX, 'tunnel port');
  },
  weight: (draft, value) => {
    draft.weight = number(value, 0, INT_MAX, 'weight');
  },
  'u-threshold': (draft, value) => {
    draft.upperThreshold = number(value, 0, INT_MAX, 'u_threshold');
  },
  'l-threshold': (draft, value) => {
    draft.lowerThreshold = number(value, 0, INT_MAX, 'l_threshold');
  },
  'mcast-interface': (draft, value) => {
    draft.interface = value;
  },
  syncid: (draft, value) => {
    draft.syncId = number(value, 0, 255, 'syncid');
  },
  'sync-maxlen': (draft, value) => {
    draft.maxLen = number(value, 1, SYNC_MAXLEN_MAX, 'sync-maxlen');
  },
  'mcast-group': (draft, value) => {
    draft.group = readGroup(value);
  },
  'mcast-port': (draft, value) => {
    draft.groupPort = number(value, 1, PORT_MAX, 'mcast-port');
  },
  'mcast-ttl': (draft, value) => {
    draft.ttl = number(value, 1, 255, 'mcast-ttl');
  },
};

/** Reads the argument of `-p`; without one the timeout is 360 s. */
export function readPersistence(draft: Draft, value: string | undefined): void {
  draft.timeoutSec = value === undefined ? PERSISTENCE_SEC : readTimeout(value, 1);
}

/** `-6`: the fwmark given before is one of IPv6 packets. */
export function useIpv6(draft: Draft): void {
  if (draft.fwmark === 0) throw refuse('-6 used before -f\n');
  draft.family = AF_INET6;
  draft.netmask = WHOLE_IPV6_PREFIX;
}

/** @returns seconds from `min` to 31 days */
export function readTimeout(value: string, min: number): number {
  const seconds = parseDecimal(value, min, TIMEOUT_MAX_SEC);
  if (seconds === undefined) throw refuse(`invalid timeout value \`${value}' specified`);
  return seconds;
}

function number(value: string, min: number, max: number, what: string): number {
  const parsed = parseDecimal(value, min, max);
  if (parsed === undefined) throw refuse(`illegal ${what} specified`);
  return parsed;
}

async function readService(draft: Draft, protocol: number, value: string, names: Names): Promise<void> {
  const endpoint = await parseEndpoint(value, protocol, names);
  if (!endpoint) throw refuse('illegal virtual server address[:port] specified');
  draft.protocol = protocol;
  draft.addr = endpoint.addr;
  draft.port = endpoint.port ?? 0;
  draft.family = endpoint.addr.family;
  if (draft.family === AF_INET6) draft.netmask = WHOLE_IPV6_PREFIX;
}

async function readServer(draft: Draft, value: string, names: Names): Promise<void> {
  const endpoint = await parseEndpoint(value, draft.protocol, names);
  if (!endpoint) throw refuse('illegal real server address[:port] specified');
  draft.destAddr = endpoint.addr;
  draft.destPort = endpoint.port ?? draft.port;
}

async function readNetmask(draft: Draft, value: string, names: Names): Promise<void> {
  if (draft.family === AF_INET) {
    const mask = await parseHost(value, names);
    if (!mask) throw refuse('illegal virtual server persistent mask specified');
    draft.netmask = (mask.words[0] & WHOLE_IPV4_MASK) >>> 0;
    return;
  }
  const prefix = parseLeadingInt(value);
  if (prefix < 1 || prefix > WHOLE_IPV6_PREFIX) throw refuse('illegal ipv6 netmask specified');
  draft.netmask = prefix;
}

function readGroup(value: string): Address {
  const isIpv6 = value.includes(':');
  const group = isIpv6 ? parseIpv6(value) : parseAddress(value);
  const firstByte = group ? group.words[0] >>> 24 : 0;
  const multicast = isIpv6 ? firstByte === 0xff : firstByte >>> 4 === 0xe;
  if (!group || !multicast) throw refuse(`invalid ${isIpv6 ? 'IPv6' : 'IPv4'} mcast-group \`${value}'`);
  return group;
}
