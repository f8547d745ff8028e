import { i32, setU16, setU32, u16 } from './bytes.ts';
import { adjustChecksum, checksumOf, exchangeWord, sumWords } from './checksum.ts';

// RFC 791. Offsets in bytes from the start of the header; all fields big-endian.
const VERSION_IHL = 0;
const TOS = 1;
const TOTAL_LENGTH = 2;
const ID = 4;
const FRAGMENT = 6;
const TTL = 8;
const PROTOCOL = 9;
const CHECKSUM = 10;
const SRC = 12;
const DST = 16;
/** Length in bytes of a header without options. */
export const IPV4_HEADER_LEN = 20;

/** Bits of the fragment field. */
export const IPV4_FRAGMENT = { DF: 0x4000, MF: 0x2000, OFFSET: 0x1fff } as const;

export interface Ipv4Header {
  /** 20 to 60 bytes, options included. */
  readonly headerLength: number;
  readonly tos: number;
  /** Bytes of header and payload. */
  readonly totalLength: number;
  readonly id: number;
  /** Bits of IPV4_FRAGMENT; the offset in units of 8 bytes. */
  readonly fragment: number;
  readonly ttl: number;
  readonly protocol: number;
  readonly checksum: number;
  /** int32. */
  readonly src: number;
  readonly dst: number;
}

/** Version of the IP packet at `at`: 4, 6 or nonsense. */
export const ipVersion = (b: Uint8Array, at: number): number => b[at + VERSION_IHL]! >>> 4;
export const ipv4HeaderLength = (b: Uint8Array, at: number): number => (b[at + VERSION_IHL]! & 15) * 4;
export const ipv4TotalLength = (b: Uint8Array, at: number): number => u16(b, at + TOTAL_LENGTH);
/** Bits of IPV4_FRAGMENT; the offset in units of 8 bytes. */
export const ipv4Fragment = (b: Uint8Array, at: number): number => u16(b, at + FRAGMENT);
export const ipv4Tos = (b: Uint8Array, at: number): number => b[at + TOS]!;
export const ipv4Id = (b: Uint8Array, at: number): number => u16(b, at + ID);
export const ipv4Ttl = (b: Uint8Array, at: number): number => b[at + TTL]!;
export const ipv4Protocol = (b: Uint8Array, at: number): number => b[at + PROTOCOL]!;
export const ipv4Src = (b: Uint8Array, at: number): number => i32(b, at + SRC);
export const ipv4Dst = (b: Uint8Array, at: number): number => i32(b, at + DST);

/** More fragments follow, or this one is not the first. */
export const isIpv4Fragment = (b: Uint8Array, at: number): boolean =>
  (ipv4Fragment(b, at) & (IPV4_FRAGMENT.MF | IPV4_FRAGMENT.OFFSET)) !== 0;

/** @returns `undefined` if the bytes at `at` cannot be an IPv4 header. */
export function parseIpv4(b: Uint8Array, at: number): Ipv4Header | undefined {
  if (b.length - at < IPV4_HEADER_LEN || ipVersion(b, at) !== 4) return undefined;
  const headerLength = ipv4HeaderLength(b, at);
  const totalLength = ipv4TotalLength(b, at);
  if (headerLength < IPV4_HEADER_LEN || b.length - at < headerLength || totalLength < headerLength)
    return undefined;
  return {
    headerLength,
    tos: b[at + TOS]!,
    totalLength,
    id: u16(b, at + ID),
    fragment: ipv4Fragment(b, at),
    ttl: ipv4Ttl(b, at),
    protocol: ipv4Protocol(b, at),
    checksum: u16(b, at + CHECKSUM),
    src: ipv4Src(b, at),
    dst: ipv4Dst(b, at),
  };
}

/** Writes the header; the bytes of its options are left as they are. */
export function emitIpv4(b: Uint8Array, at: number, h: Ipv4Header): void {
  b[at + VERSION_IHL] = 0x40 | (h.headerLength / 4);
  b[at + TOS] = h.tos;
  setU16(b, at + TOTAL_LENGTH, h.totalLength);
  setU16(b, at + ID, h.id);
  setU16(b, at + FRAGMENT, h.fragment);
  b[at + TTL] = h.ttl;
  b[at + PROTOCOL] = h.protocol;
  setU16(b, at + CHECKSUM, h.checksum);
  setU32(b, at + SRC, h.src);
  setU32(b, at + DST, h.dst);
}

/** Makes a header one of a packet, or fragment, of another length; `sealIpv4` belongs behind it. */
export function setIpv4Extent(b: Uint8Array, at: number, totalLength: number, fragment: number): void {
  setU16(b, at + TOTAL_LENGTH, totalLength);
  setU16(b, at + FRAGMENT, fragment);
}

/** Writes a header without options from plain values (see Ipv4Header); its checksum is to be made by sealIpv4. */
export function writeIpv4(
  b: Uint8Array,
  at: number,
  tos: number,
  totalLength: number,
  id: number,
  fragment: number,
  ttl: number,
  protocol: number,
  src: number,
  dst: number,
): void {
  b[at + VERSION_IHL] = 0x45;
  b[at + TOS] = tos;
  setU16(b, at + TOTAL_LENGTH, totalLength);
  setU16(b, at + ID, id);
  setU16(b, at + FRAGMENT, fragment);
  b[at + TTL] = ttl;
  b[at + PROTOCOL] = protocol;
  setU32(b, at + SRC, src);
  setU32(b, at + DST, dst);
}

/** Writes the right header checksum into a header that is else complete. */
export function sealIpv4(b: Uint8Array, at: number): void {
  setU16(b, at + CHECKSUM, 0);
  setU16(b, at + CHECKSUM, checksumOf(b, at, ipv4HeaderLength(b, at)));
}

/** Puts another address (int32) into a header and its checksum. @returns what that adds to a sum over the address */
export const exchangeIpv4Src = (b: Uint8Array, at: number, word: number): number =>
  exchange(b, at, SRC, word);
export const exchangeIpv4Dst = (b: Uint8Array, at: number, word: number): number =>
  exchange(b, at, DST, word);

function exchange(b: Uint8Array, at: number, field: number, word: number): number {
  const difference = exchangeWord(b, at + field, word);
  adjustChecksum(b, at + CHECKSUM, difference);
  return difference;
}

/** Writes another TTL, 0 to 255, and brings the header's checksum up to date. */
export function setIpv4Ttl(b: Uint8Array, at: number, ttl: number): void {
  adjustChecksum(b, at + CHECKSUM, ((~ipv4Ttl(b, at) & 255) << 8) + 255 + (ttl << 8));
  b[at + TTL] = ttl;
}

/** Writes another identification; the checksum is left as it is. */
export const setIpv4Id = (b: Uint8Array, at: number, id: number): void => setU16(b, at + ID, id);

/** The pseudo header's part of a TCP or UDP checksum (RFC 9293 section 3.1). @param length bytes after the IP header */
export const pseudoSum4 = (b: Uint8Array, at: number, length: number): number =>
  sumWords(b, at + SRC, 8, ipv4Protocol(b, at) + length);

export function formatIpv4Header(h: Ipv4Header): string {
  const dotted = (word: number): string => [24, 16, 8, 0].map((shift) => (word >>> shift) & 255).join('.');
  const fragment = h.fragment === 0 ? '' : ` fragment ${h.fragment.toString(16)}`;
  return `${dotted(h.src)} > ${dotted(h.dst)} protocol ${h.protocol} ttl ${h.ttl} length ${h.totalLength}${fragment}`;
}
