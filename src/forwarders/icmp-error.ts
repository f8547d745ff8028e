import { type Address, AF_INET6 } from '../core/address.ts';
import { foldSum } from '../core/wire/checksum.ts';
import {
  emitIcmp,
  ICMP_HEADER_LEN,
  ICMP_TYPE,
  type IcmpHeader,
  icmpType,
  setIcmpChecksum,
} from '../core/wire/icmp.ts';
import { ICMPV6_TYPE, isIcmpv6Error } from '../core/wire/icmpv6.ts';
import {
  emitIpv4,
  IPV4_FRAGMENT,
  IPV4_HEADER_LEN,
  ipv4Dst,
  ipv4Fragment,
  ipv4Src,
  ipv4Tos,
  sealIpv4,
} from '../core/wire/ipv4.ts';
import { emitIpv6, IPV6_HEADER_LEN, ipv6DstWord, ipv6SrcWord, pseudoSum6 } from '../core/wire/ipv6.ts';
import { fragmentOffset, HeaderChain } from '../core/wire/ipv6-fragment.ts';
import { bulkSum } from './bulk-sum.ts';
import { IP_PROTOCOL, type PacketPlace } from './packet-place.ts';

/** Type, code and the four bytes behind the checksum of an error. */
export type IcmpError = Omit<IcmpHeader, 'checksum'>;

/** Who answers: usually the address that the packet was sent to. */
export interface ErrorSender {
  readonly source: Address;
  /** TTL or hop limit of the answer; Linux has 64. */
  readonly ttl: number;
  /** Identification of the answer, IPv4 only. */
  readonly id: number;
}

/** Largest error: what every host takes in one piece (RFC 1812 section 4.3.2.3, RFC 4443 section 2.4 c). */
export const MAX_ERROR_BYTES = { V4: 576, V6: 1280 } as const;

const CODE4 = { HOST: 1, PORT: 3, TOO_BIG: 4 } as const;
const CODE6 = { ADDRESS: 3, PORT: 4 } as const;

/** Precedence of an answer is "internetwork control"; it keeps type of service and congestion bit (icmp_send). */
const TOS_KEPT = 0x1e;
const INTERNETWORK_CONTROL = 0xc0;

const LAST_ICMP_TYPE = 18;
const CHAIN = new HeaderChain();

/** No server can be chosen. */
export const portUnreachable = (isV6: boolean): IcmpError =>
  isV6
    ? { type: ICMPV6_TYPE.DESTINATION_UNREACHABLE, code: CODE6.PORT, rest: 0 }
    : { type: ICMP_TYPE.DESTINATION_UNREACHABLE, code: CODE4.PORT, rest: 0 };

/** There is no route to the server. */
export const hostUnreachable = (isV6: boolean): IcmpError =>
  isV6
    ? { type: ICMPV6_TYPE.DESTINATION_UNREACHABLE, code: CODE6.ADDRESS, rest: 0 }
    : { type: ICMP_TYPE.DESTINATION_UNREACHABLE, code: CODE4.HOST, rest: 0 };

/** The packet's TTL or hop limit was 1. */
export const timeExceeded = (isV6: boolean): IcmpError => ({
  type: isV6 ? ICMPV6_TYPE.TIME_EXCEEDED : ICMP_TYPE.TIME_EXCEEDED,
  code: 0,
  rest: 0,
});

/** The packet is longer than the way to the server takes. @param mtu bytes of an IP packet that is not */
export const packetTooBig = (isV6: boolean, mtu: number): IcmpError =>
  isV6
    ? { type: ICMPV6_TYPE.PACKET_TOO_BIG, code: 0, rest: mtu }
    : { type: ICMP_TYPE.DESTINATION_UNREACHABLE, code: CODE4.TOO_BIG, rest: mtu };

/**
 * Writes an ICMP or ICMPv6 error to the sender of a packet, quoting the packet as it stands. Options of the packet are
 * not echoed.
 * @param out where the answer goes, from `outAt` on; other than the packet's own bytes
 * @returns its length in bytes; 0 if there is no room, or no answer is allowed: about an ICMP error, a multicast, a
 *   broadcast, a later fragment, or to nobody
 */
export function writeIcmpError(
  out: Uint8Array,
  outAt: number,
  about: PacketPlace,
  error: IcmpError,
  sender: ErrorSender,
): number {
  if ((sender.source.family === AF_INET6) !== about.isV6 || !isAnswerable(about)) return 0;
  const headers = (about.isV6 ? IPV6_HEADER_LEN : IPV4_HEADER_LEN) + ICMP_HEADER_LEN;
  const most = about.isV6 ? MAX_ERROR_BYTES.V6 : MAX_ERROR_BYTES.V4;
  const length = Math.min(headers + about.end - about.at, most);
  if (outAt + length > out.length) return 0;
  const { bytes, at } = about;
  out.set(bytes.subarray(at, at + length - headers), outAt + headers);
  emitIcmp(out, outAt + headers - ICMP_HEADER_LEN, { ...error, checksum: 0 });
  if (about.isV6) writeHeader6(out, outAt, about, length, sender);
  else writeHeader4(out, outAt, about, length, sender);
  return length;
}

function writeHeader4(
  out: Uint8Array,
  at: number,
  about: PacketPlace,
  length: number,
  sender: ErrorSender,
): void {
  emitIpv4(out, at, {
    headerLength: IPV4_HEADER_LEN,
    tos: (ipv4Tos(about.bytes, about.at) & TOS_KEPT) | INTERNETWORK_CONTROL,
    totalLength: length,
    id: sender.id,
    fragment: 0,
    ttl: sender.ttl,
    protocol: IP_PROTOCOL.ICMP,
    checksum: 0,
    src: sender.source.words[0],
    dst: ipv4Src(about.bytes, about.at),
  });
  sealIpv4(out, at);
  const icmp = at + IPV4_HEADER_LEN;
  setIcmpChecksum(out, icmp, ~foldSum(bulkSum(out, icmp, length - IPV4_HEADER_LEN)));
}

function writeHeader6(
  out: Uint8Array,
  at: number,
  { bytes, at: aboutAt }: PacketPlace,
  length: number,
  sender: ErrorSender,
): void {
  const payloadLength = length - IPV6_HEADER_LEN;
  const word = (i: number): number => ipv6SrcWord(bytes, aboutAt, i);
  emitIpv6(out, at, {
    trafficClass: 0,
    flowLabel: 0,
    payloadLength,
    nextHeader: IP_PROTOCOL.ICMPV6,
    hopLimit: sender.ttl,
    src: sender.source.words,
    dst: [word(0), word(1), word(2), word(3)],
  });
  const icmp = at + IPV6_HEADER_LEN;
  const pseudo = pseudoSum6(out, at, IP_PROTOCOL.ICMPV6, payloadLength);
  setIcmpChecksum(out, icmp, ~foldSum(bulkSum(out, icmp, payloadLength, pseudo)));
}

const isAnswerable = (about: PacketPlace): boolean =>
  about.isV6 ? isAnswerable6(about) : isAnswerable4(about);

function isAnswerable4({ bytes: b, at, transport, end, protocol }: PacketPlace): boolean {
  if ((ipv4Fragment(b, at) & IPV4_FRAGMENT.OFFSET) !== 0) return false;
  const src = ipv4Src(b, at);
  if (src === 0 || isGroup4(src) || isGroup4(ipv4Dst(b, at))) return false;
  return protocol !== IP_PROTOCOL.ICMP || (transport < end && !isError4(icmpType(b, transport)));
}

/** Multicast, limited broadcast and what is reserved between them. */
const isGroup4 = (address: number): boolean => address >>> 28 >= 14;

const isError4 = (type: number): boolean =>
  type === ICMP_TYPE.DESTINATION_UNREACHABLE ||
  type === ICMP_TYPE.SOURCE_QUENCH ||
  type === ICMP_TYPE.REDIRECT ||
  type === ICMP_TYPE.TIME_EXCEEDED ||
  type === ICMP_TYPE.PARAMETER_PROBLEM ||
  type > LAST_ICMP_TYPE;

function isAnswerable6({ bytes: b, at, transport, end, protocol }: PacketPlace): boolean {
  const first = ipv6SrcWord(b, at, 0);
  const isUnspecified = (first | ipv6SrcWord(b, at, 1) | ipv6SrcWord(b, at, 2) | ipv6SrcWord(b, at, 3)) === 0;
  if (isUnspecified || first >>> 24 === 0xff || ipv6DstWord(b, at, 0) >>> 24 === 0xff) return false;
  if (CHAIN.toFragmentHeader(b, at, end) && fragmentOffset(b, CHAIN.header) !== 0) return false;
  return protocol !== IP_PROTOCOL.ICMPV6 || (transport < end && !isIcmpv6Error(icmpType(b, transport)));
}
