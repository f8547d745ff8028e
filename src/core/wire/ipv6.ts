import { i32, setU16, setU32, u16, u32 } from './bytes.ts';
import { exchangeWord, sumWords } from './checksum.ts';

// RFC 8200. Offsets in bytes from the start of the header; all fields big-endian.
const VERSION_CLASS_FLOW = 0;
const PAYLOAD_LENGTH = 4;
const NEXT_HEADER = 6;
const HOP_LIMIT = 7;
const SRC = 8;
const DST = 24;
/** Length in bytes of the header without extension headers. */
export const IPV6_HEADER_LEN = 40;

/** Numbers of extension headers; AH is walked past as one of them, as the kernel does. */
const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const DESTINATION_OPTIONS = 60;
const FRAGMENT_HEADER_LEN = 8;

type Words = readonly [number, number, number, number];

export interface Ipv6Header {
  readonly trafficClass: number;
  readonly flowLabel: number;
  /** Bytes after the header, extension headers included. */
  readonly payloadLength: number;
  readonly nextHeader: number;
  readonly hopLimit: number;
  /** int32 words. */
  readonly src: Words;
  readonly dst: Words;
}

export const ipv6PayloadLength = (b: Uint8Array, at: number): number => u16(b, at + PAYLOAD_LENGTH);
export const setIpv6PayloadLength = (b: Uint8Array, at: number, length: number): void =>
  setU16(b, at + PAYLOAD_LENGTH, length);
export const ipv6NextHeader = (b: Uint8Array, at: number): number => b[at + NEXT_HEADER]!;
/** The eight bits of DS field and ECN. */
export const ipv6TrafficClass = (b: Uint8Array, at: number): number =>
  ((b[at]! & 15) << 4) | (b[at + 1]! >>> 4);
export const ipv6HopLimit = (b: Uint8Array, at: number): number => b[at + HOP_LIMIT]!;
/** One of the four words of an address. */
export const ipv6SrcWord = (b: Uint8Array, at: number, word: number): number => i32(b, at + SRC + word * 4);
export const ipv6DstWord = (b: Uint8Array, at: number, word: number): number => i32(b, at + DST + word * 4);

export const isExtensionHeader = (protocol: number): boolean =>
  protocol === HOP_BY_HOP ||
  protocol === ROUTING ||
  protocol === FRAGMENT ||
  protocol === AUTHENTICATION ||
  protocol === DESTINATION_OPTIONS;

export const isFragmentHeader = (protocol: number): boolean => protocol === FRAGMENT;

/** Length in bytes of the extension header of kind `protocol` at `at`, of which 2 bytes must be there. */
export function extensionLength(b: Uint8Array, at: number, protocol: number): number {
  if (protocol === FRAGMENT) return FRAGMENT_HEADER_LEN;
  return protocol === AUTHENTICATION ? (b[at + 1]! + 2) * 4 : (b[at + 1]! + 1) * 8;
}

/** @returns `undefined` if the bytes at `at` cannot be an IPv6 header. */
export function parseIpv6(b: Uint8Array, at: number): Ipv6Header | undefined {
  if (b.length - at < IPV6_HEADER_LEN || b[at]! >>> 4 !== 6) return undefined;
  const first = u32(b, at + VERSION_CLASS_FLOW);
  const address = (from: number): Words => [
    i32(b, from),
    i32(b, from + 4),
    i32(b, from + 8),
    i32(b, from + 12),
  ];
  return {
    trafficClass: (first >>> 20) & 255,
    flowLabel: first & 0xfffff,
    payloadLength: ipv6PayloadLength(b, at),
    nextHeader: ipv6NextHeader(b, at),
    hopLimit: ipv6HopLimit(b, at),
    src: address(at + SRC),
    dst: address(at + DST),
  };
}

export function emitIpv6(b: Uint8Array, at: number, h: Ipv6Header): void {
  setU32(b, at + VERSION_CLASS_FLOW, (6 << 28) | (h.trafficClass << 20) | h.flowLabel);
  setU16(b, at + PAYLOAD_LENGTH, h.payloadLength);
  b[at + NEXT_HEADER] = h.nextHeader;
  b[at + HOP_LIMIT] = h.hopLimit;
  for (let i = 0; i < 4; i++) {
    setU32(b, at + SRC + i * 4, h.src[i]!);
    setU32(b, at + DST + i * 4, h.dst[i]!);
  }
}

/** Writes a header from plain values (see Ipv6Header), its flow label 0. */
export function writeIpv6(
  b: Uint8Array,
  at: number,
  trafficClass: number,
  payloadLength: number,
  nextHeader: number,
  hopLimit: number,
  src: Words,
  dst: Words,
): void {
  setU32(b, at + VERSION_CLASS_FLOW, (6 << 28) | (trafficClass << 20));
  setU16(b, at + PAYLOAD_LENGTH, payloadLength);
  b[at + NEXT_HEADER] = nextHeader;
  b[at + HOP_LIMIT] = hopLimit;
  for (let i = 0; i < 4; i++) {
    setU32(b, at + SRC + i * 4, src[i]!);
    setU32(b, at + DST + i * 4, dst[i]!);
  }
}

/** Puts another address (int32 words) into a header. @returns what that adds to a sum over the address */
export const exchangeIpv6Src = (b: Uint8Array, at: number, words: Words): number =>
  exchange(b, at + SRC, words);
export const exchangeIpv6Dst = (b: Uint8Array, at: number, words: Words): number =>
  exchange(b, at + DST, words);

const exchange = (b: Uint8Array, at: number, words: Words): number =>
  exchangeWord(b, at, words[0]) +
  exchangeWord(b, at + 4, words[1]) +
  exchangeWord(b, at + 8, words[2]) +
  exchangeWord(b, at + 12, words[3]);

export function setIpv6HopLimit(b: Uint8Array, at: number, hopLimit: number): void {
  b[at + HOP_LIMIT] = hopLimit;
}

/** The pseudo header's part of an upper-layer checksum (RFC 8200 section 8.1). @param length bytes of the upper layer */
export const pseudoSum6 = (b: Uint8Array, at: number, protocol: number, length: number): number =>
  sumWords(b, at + SRC, 32, protocol + length);

export function formatIpv6Header(h: Ipv6Header): string {
  const hex = (words: Words): string =>
    words
      .flatMap((word) => [word >>> 16, word & 0xffff])
      .map((group) => group.toString(16))
      .join(':');
  return `${hex(h.src)} > ${hex(h.dst)} next ${h.nextHeader} hops ${h.hopLimit} payload ${h.payloadLength}`;
}
