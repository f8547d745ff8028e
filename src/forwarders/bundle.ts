import { PROTOCOL } from '../core/config.ts';
import { setU16, u16 } from '../core/wire/bytes.ts';
import { foldSum } from '../core/wire/checksum.ts';
import {
  IPV4_FRAGMENT,
  IPV4_HEADER_LEN,
  ipv4TotalLength,
  pseudoSum4,
  sealIpv4,
  setIpv4Extent,
} from '../core/wire/ipv4.ts';
import { IPV6_HEADER_LEN, ipv6PayloadLength, pseudoSum6, setIpv6PayloadLength } from '../core/wire/ipv6.ts';
import { setUdpLength, UDP_CHECKSUM, UDP_HEADER_LEN, UDP_LENGTH } from '../core/wire/udp.ts';
import {
  emitVnetHeader,
  VNET_GSO,
  vnetChecksumOffset,
  vnetChecksumStart,
  vnetGsoType,
  vnetNeedsChecksum,
  vnetVouchesChecksum,
} from './vnet-header.ts';

/*
 * Datagrams of one flow that are written together as one UDP super-packet, which the kernel cuts into them again: it is routed
 * and filtered once. `at` is where an IP header starts, a multiple of 4, its virtio header before it; `words` are the same
 * bytes, in the host's order, little-endian on every host of ours.
 */

/** Payload of a super-packet at most, and of how many datagrams: older kernels take no more. */
export const BUNDLE = { MOST_BYTES: 65_535 - IPV4_HEADER_LEN - UDP_HEADER_LEN, MOST_DATAGRAMS: 64 } as const;

/** Words of a header by what is in them. */
const IPV4 = { FLAGS: 1, PROTOCOL: 2, SOURCE: 3, DESTINATION: 4, PORTS: 5 } as const;
const IPV6 = { PROTOCOL: 1, ADDRESSES: 2 } as const;
const WORD = { VERSION_AND_LENGTH: 0x45, VERSION: 0x60, DF: 0x0040 } as const;

/**
 * Length of a datagram's IP header if it may go with others: it has no options, may not be cut on its way, so that its
 * identification means nothing (RFC 6864), and its checksum is sound, since a new one will be made. 0: it may not.
 * @param length bytes of the packet
 */
export function bundleHeader(b: Uint8Array, words: Int32Array, at: number, length: number): number {
  if (vnetGsoType(b, at) !== VNET_GSO.NONE) return 0;
  const header =
    (words[at >> 2]! & 0xff) === WORD.VERSION_AND_LENGTH
      ? header4(b, words, at, length)
      : header6(b, words, at, length);
  if (header === 0) return 0;
  const udp = at + header;
  if (u16(b, udp + UDP_LENGTH) !== length - header || length - header <= UDP_HEADER_LEN) return 0;
  return hasSoundChecksum(b, at, udp) ? header : 0;
}

/** An unfinished checksum may be of a packet within the datagram: that has to stay so. */
function hasSoundChecksum(b: Uint8Array, at: number, udp: number): boolean {
  if (vnetNeedsChecksum(b, at))
    return vnetChecksumStart(b, at) === udp - at && vnetChecksumOffset(b, at) === UDP_CHECKSUM;
  return vnetVouchesChecksum(b, at) && u16(b, udp + UDP_CHECKSUM) !== 0;
}

function header4(b: Uint8Array, words: Int32Array, at: number, length: number): number {
  const first = at >> 2;
  const isWhole =
    words[first + IPV4.FLAGS]! >>> 16 === WORD.DF &&
    ((words[first + IPV4.PROTOCOL]! >>> 8) & 0xff) === PROTOCOL.UDP &&
    ipv4TotalLength(b, at) === length;
  return isWhole ? IPV4_HEADER_LEN : 0;
}

function header6(b: Uint8Array, words: Int32Array, at: number, length: number): number {
  const first = at >> 2;
  const isWhole =
    (words[first]! & 0xf0) === WORD.VERSION &&
    ((words[first + IPV6.PROTOCOL]! >>> 16) & 0xff) === PROTOCOL.UDP &&
    ipv6PayloadLength(b, at) === length - IPV6_HEADER_LEN;
  return isWhole ? IPV6_HEADER_LEN : 0;
}

/** Whether two datagrams for which `bundleHeader` tells `header` go from one place to another in the same way. */
export function isSameFlow(words: Int32Array, one: number, other: number, header: number): boolean {
  const a = one >> 2;
  const b = other >> 2;
  if (header === IPV6_HEADER_LEN) {
    // Class and flow label; protocol and hop limit.
    if (words[a] !== words[b] || words[a + IPV6.PROTOCOL]! >>> 16 !== words[b + IPV6.PROTOCOL]! >>> 16)
      return false;
    for (let i = IPV6.ADDRESSES; i <= header >> 2; i++) if (words[a + i] !== words[b + i]) return false;
    return true;
  }
  return (
    words[a + IPV4.SOURCE] === words[b + IPV4.SOURCE] &&
    words[a + IPV4.DESTINATION] === words[b + IPV4.DESTINATION] &&
    words[a + IPV4.PORTS] === words[b + IPV4.PORTS] &&
    // Type of service; time to live and protocol.
    ((words[a]! ^ words[b]!) & 0xffff) === 0 &&
    ((words[a + IPV4.PROTOCOL]! ^ words[b + IPV4.PROTOCOL]!) & 0xffff) === 0
  );
}

/** A number from a flow's addresses and ports. */
export function flowHash(words: Int32Array, at: number, header: number): number {
  const ports = (at + header) >> 2;
  const source = header === IPV6_HEADER_LEN ? words[ports - 5]! : words[ports - 2]!;
  const mixed = Math.imul(words[ports]! ^ source ^ words[ports - 1]!, 0x9e3779b1);
  return mixed >>> 16;
}

/**
 * Makes a datagram's headers those of the super-packet that it begins.
 * @param header its IP header's length
 * @param payloadBytes of all its datagrams
 * @param eachBytes of payload in all but the last
 */
export function sealBundle(
  b: Uint8Array,
  at: number,
  header: number,
  payloadBytes: number,
  eachBytes: number,
): void {
  const udp = at + header;
  const udpLength = UDP_HEADER_LEN + payloadBytes;
  let pseudo: number;
  if (header === IPV6_HEADER_LEN) {
    setIpv6PayloadLength(b, at, udpLength);
    pseudo = pseudoSum6(b, at, PROTOCOL.UDP, udpLength);
  } else {
    setIpv4Extent(b, at, header + udpLength, IPV4_FRAGMENT.DF);
    sealIpv4(b, at);
    pseudo = pseudoSum4(b, at, udpLength);
  }
  setUdpLength(b, udp, udpLength);
  setU16(b, udp + UDP_CHECKSUM, foldSum(pseudo));
  emitVnetHeader(b, at, {
    needsChecksum: true,
    gsoType: VNET_GSO.UDP_L4,
    headerLength: header + UDP_HEADER_LEN,
    gsoSize: eachBytes,
    checksumStart: header,
    checksumOffset: UDP_CHECKSUM,
  });
}
