import { AF_INET, AF_INET6, type Family } from '../../../core/address.ts';
import { NFT_FAMILY } from './families.ts';
import { BYPASS_MARK, DEVICE_GATEWAY, DEVICE_PATTERN, MARK_BASE, NFT_TABLE } from './names.ts';

/**
 * How the rules deal with packets that have a socket on the director itself, which forwarding drops: the kernel gives
 * them to their socket before it looks for a route (early demultiplexing).
 *
 * - known: such packets are found; replies of servers to the director's own connections stay with it, what belongs to
 *   services is copied to the device past forwarding
 * - guessed: replies to a local address that is not virtual are taken for those of own connections
 */
export const SOCKET_WAYS = ['known', 'guessed'] as const;
export type SocketWay = (typeof SOCKET_WAYS)[number];

export interface RulesetOptions {
  readonly sockets: SocketWay;
  /** Packets that come out of a device get its mark of returns, for a host with strict reverse-path checks. */
  readonly marksReturns: boolean;
  /** False: what belongs to services is kept out of connection tracking, and so of its translations. */
  readonly isTracked: boolean;
}

/** Behind the host's translation of destinations (-100), as IPVS's own hooks are. */
const PRIORITY = '-90';

/** Before connection tracking (-200). */
const RAW_PRIORITY = '-300';

/** How the rules of a family speak of a packet. */
interface FamilyWords {
  readonly address: 'ipv4_addr' | 'ipv6_addr';
  readonly source: string;
  readonly dest: string;
  /** ICMP errors that IPVS relates to connections. */
  readonly error: string;
  /** Destination of the packet that an ICMP error quotes. */
  readonly quotedDest: string;
  /** An address beyond a device, to copy packets to. */
  readonly gateway: string;
  readonly fragment: string;
  /** Adds one to the packet's time to live or hop limit. */
  readonly raiseTtl: readonly string[];
}

/** The bytes of an IPv4 header from the time to live: it, protocol, checksum (two bytes). */
const TTL = '@nh,64,8';
const CHECKSUM = '@nh,80,16';
const CHECKSUM_HIGH = '@nh,80,8';

const IPV4: FamilyWords = {
  address: 'ipv4_addr',
  source: 'ip saddr',
  dest: 'ip daddr',
  error: 'icmp type { destination-unreachable, source-quench, time-exceeded }',
  quotedDest: '@th,192,32',
  gateway: DEVICE_GATEWAY[AF_INET],
  fragment: 'ip frag-off & 0x3fff != 0',
  raiseTtl: [
    `${TTL} 255 return`,
    `${TTL} set ${TTL} map { ${entries(1, 254, (ttl) => ttl + 1)} }`,
    // The checksum falls by 0x0100 in one's complement; nft mends it itself only where it writes constants.
    `${CHECKSUM_HIGH} != 0 ${CHECKSUM_HIGH} set ${CHECKSUM_HIGH} map { ${entries(1, 255, (byte) => byte - 1)} } return`,
    `${CHECKSUM} set ${CHECKSUM} map { ${entries(0, 255, (sum) => (sum === 0 ? 0xfeff : 0xfeff + sum))} }`,
  ],
};

const IPV6: FamilyWords = {
  address: 'ipv6_addr',
  source: 'ip6 saddr',
  dest: 'ip6 daddr',
  error: 'icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem }',
  quotedDest: '@th,256,128',
  gateway: DEVICE_GATEWAY[AF_INET6],
  fragment: 'exthdr frag exists',
  raiseTtl: [`ip6 hoplimit set ip6 hoplimit map { ${entries(1, 254, (limit) => limit + 1)} }`],
};

/** Writes the whole table of a family with empty sets, as input for nft; it replaces what is there at once. */
export function ruleset(family: Family, options: RulesetOptions): string {
  const words = family === AF_INET ? IPV4 : IPV6;
  const table = `${NFT_FAMILY[family]} ${NFT_TABLE}`;
  const parts = [
    ...sets(words),
    ...(options.isTracked ? [] : untrackedChains(words, options)),
    preroutingChain(words, options),
    toVirtualChain(words),
    fromServerChain(words, options),
    chain('take', [`meta mark set ${hex(MARK_BASE)} goto lead`]),
    ...leadChains(words, options),
    chain('raise_ttl', words.raiseTtl),
    outputChain(words),
  ];
  return `add table ${table}\ndelete table ${table}\ntable ${table} {\n${parts.join('')}}\n`;
}

/** Writes what removes the table of a family, whether it is there or not. */
export function noRuleset(family: Family): string {
  const table = `${NFT_FAMILY[family]} ${NFT_TABLE}`;
  return `add table ${table}\ndelete table ${table}\n`;
}

function sets({ address, quotedDest }: FamilyWords): string[] {
  const port = `type ${address} . inet_proto . inet_service`;
  const protocol = `type ${address} . inet_proto`;
  const types = {
    vip: port,
    vip_any: protocol,
    vip_addr: `type ${address}`,
    rip: port,
    rip_any: protocol,
    rip_addr: `type ${address}`,
    quoted: `typeof ${quotedDest}`,
    all_errors: 'type inet_proto',
  };
  const all = Object.entries(types).map(([name, type]) => `\tset ${name} {\n\t\t${type}\n\t}\n`);
  const maps = { fwmarks: 'mark : mark', links: 'mark : iface_index', returns: 'ifname : mark' };
  return [...all, ...Object.entries(maps).map(([name, type]) => `\tmap ${name} {\n\t\ttype ${type}\n\t}\n`)];
}

/** What belongs to a service is not tracked, whether it is on its way to a device or comes out of one. */
function untrackedChains(words: FamilyWords, options: RulesetOptions): string[] {
  const { source, dest } = words;
  const untrack = (address: string, port: string, set: string): string[] => [
    `${address} . meta l4proto . th ${port} @${set} notrack accept`,
    `${address} . meta l4proto @${set}_any notrack accept`,
  ];
  return [
    chain('raw_prerouting', [
      hook('filter', 'prerouting', RAW_PRIORITY),
      `iifname "${DEVICE_PATTERN}" goto raw_device`,
      `${dest} @vip_addr jump raw_to_virtual`,
      `${source} @rip_addr jump raw_from_server`,
    ]),
    chain('raw_device', [...untrack(dest, 'dport', 'rip'), ...untrack(source, 'sport', 'vip')]),
    chain('raw_to_virtual', untrack(dest, 'dport', 'vip')),
    chain('raw_from_server', [...ownReplies(words, options), ...untrack(source, 'sport', 'rip')]),
    chain('raw_output', [hook('filter', 'output', RAW_PRIORITY), ...untrack(dest, 'dport', 'vip')]),
  ];
}

function preroutingChain({ source, dest, error, quotedDest }: FamilyWords, options: RulesetOptions): string {
  const fromDevice = `iifname "${DEVICE_PATTERN}"`;
  return chain('prerouting', [
    hook('filter', 'prerouting', PRIORITY),
    ...(options.marksReturns ? [`${fromDevice} meta mark set iifname map @returns`] : []),
    `${fromDevice} accept`,
    'meta mark set meta mark map @fwmarks goto lead',
    `${dest} @vip_addr jump to_virtual`,
    `${source} @rip_addr jump from_server`,
    `${error} ${quotedDest} @quoted goto take`,
    `${error} meta l4proto @all_errors goto take`,
  ]);
}

/** Fragments are all taken: those but the first don't tell their port, and a part is of no use to anyone. */
function toVirtualChain({ dest, fragment, error }: FamilyWords): string {
  return chain('to_virtual', [
    `${fragment} goto take`,
    `${dest} . meta l4proto . th dport @vip goto take`,
    `${dest} . meta l4proto @vip_any goto take`,
    `${error} goto take`,
  ]);
}

function fromServerChain(words: FamilyWords, options: RulesetOptions): string {
  const { source, fragment } = words;
  return chain('from_server', [
    `${fragment} goto take`,
    ...ownReplies(words, options),
    `${source} . meta l4proto . th sport @rip goto take`,
    `${source} . meta l4proto @rip_any goto take`,
  ]);
}

/**
 * Marked packets are routed to their device. Those with a socket would not get there: they are copied to it, the copy
 * having lost its socket. Copies have their DF bit set, which is true of nearly all packets of connections.
 */
function leadChains({ gateway, fragment }: FamilyWords, { sockets: way }: RulesetOptions): string[] {
  if (way === 'guessed') return [chain('lead', ['jump raise_ttl', 'accept'])];
  return [
    chain('lead', ['jump raise_ttl', 'socket transparent 0 goto copy', 'accept']),
    chain('copy', [
      // Listeners and fragments don't count to early demultiplexing.
      'socket wildcard 1 accept',
      `${fragment} accept`,
      // Without a living director the mark leads to no device.
      `fib daddr . mark oifname "${DEVICE_PATTERN}" dup to ${gateway} device meta mark map @links drop`,
      'accept',
    ]),
  ];
}

function ownReplies({ dest }: FamilyWords, { sockets: way }: RulesetOptions): string[] {
  return [way === 'known' ? 'socket wildcard 0 return' : `fib daddr type local ${dest} != @vip_addr return`];
}

/** Clients on the director, and servers whose address is the director's. Nothing is forwarded: no TTL to mend. */
function outputChain({ source, dest }: FamilyWords): string {
  const take = `meta mark set ${hex(MARK_BASE)} accept`;
  return chain('output', [
    hook('route', 'output', PRIORITY),
    `oifname "${DEVICE_PATTERN}" accept`,
    `meta mark ${hex(BYPASS_MARK)} accept`,
    'meta mark set meta mark map @fwmarks accept',
    `${dest} . meta l4proto . th dport @vip ${take}`,
    `${dest} . meta l4proto @vip_any ${take}`,
    `${source} . meta l4proto . th sport @rip ${take}`,
    `${source} . meta l4proto @rip_any ${take}`,
  ]);
}

const hook = (type: string, name: string, priority: string): string =>
  `type ${type} hook ${name} priority ${priority}; policy accept;`;

function chain(name: string, rules: readonly string[]): string {
  return `\tchain ${name} {\n${rules.map((rule) => `\t\t${rule}\n`).join('')}\t}\n`;
}

const hex = (mark: number): string => `0x${(mark >>> 0).toString(16)}`;

function entries(from: number, to: number, value: (key: number) => number): string {
  const keys = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  return keys.map((key) => `0x${key.toString(16)} : 0x${value(key).toString(16)}`).join(', ');
}
