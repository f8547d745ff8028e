import {
  IPV4_FRAGMENT,
  IPV4_HEADER_LEN,
  ipVersion,
  ipv4Fragment,
  ipv4HeaderLength,
  ipv4TotalLength,
  sealIpv4,
  setIpv4Extent,
} from './ipv4.ts';
import { IPV6_HEADER_LEN, ipv6PayloadLength, isFragmentHeader, setIpv6PayloadLength } from './ipv6.ts';
import { emitFragmentHeader, FRAGMENT_HEADER_LEN, FRAGMENT_PROTOCOL, HeaderChain } from './ipv6-fragment.ts';

/** What `fragment` answers instead of a number of pieces. */
export const NOT_CUT = {
  MALFORMED: -1,
  /** DF is set, or the packet is an IPv6 fragment. */
  FORBIDDEN: -2,
  /** The mtu leaves no room for 8 bytes of payload. */
  NO_ROOM: -3,
} as const;

/** Takes a piece; its bytes are valid during the call. */
export type TakePiece = (bytes: Uint8Array, at: number, length: number) => void;

/** Bit of an IPv4 option's first byte: it belongs into every fragment (RFC 791 section 3.1). */
const COPIED = 0x80;
const END_OF_OPTIONS = 0;
const NO_OPERATION = 1;

/** Largest packet, and a fragment header. */
const PIECE = new Uint8Array(IPV6_HEADER_LEN + 65_535 + FRAGMENT_HEADER_LEN);
const CHAIN = new HeaderChain();

/**
 * Cuts an IP packet into pieces of at most `mtu` bytes; one that fits stays as it is. Options of IPv4 that do not
 * belong into later pieces are blanked there, so that every header has the same length (as Linux does).
 * @param at where the IP header starts
 * @param length bytes of the packet from there
 * @param identification of the IPv6 fragments, a u32; IPv4 packets have their own
 * @param ignoresDf DF is no reason not to cut; the pieces have it too
 * @param take is called for each piece, in order; it must not cut another packet
 * @returns how many pieces there were, or one of NOT_CUT
 */
export function fragment(
  b: Uint8Array,
  at: number,
  length: number,
  mtu: number,
  identification: number,
  ignoresDf: boolean,
  take: TakePiece,
): number {
  if (length < IPV4_HEADER_LEN) return NOT_CUT.MALFORMED;
  const version = ipVersion(b, at);
  if (version === 4) return fragment4(b, at, length, mtu, ignoresDf, take);
  return version === 6 ? fragment6(b, at, length, mtu, identification, take) : NOT_CUT.MALFORMED;
}

function fragment4(
  b: Uint8Array,
  at: number,
  length: number,
  mtu: number,
  ignoresDf: boolean,
  take: TakePiece,
): number {
  const headerLength = ipv4HeaderLength(b, at);
  const total = ipv4TotalLength(b, at);
  if (headerLength < IPV4_HEADER_LEN || total < headerLength || total > length) return NOT_CUT.MALFORMED;
  if (total <= mtu) return whole(b, at, total, take);
  const field = ipv4Fragment(b, at);
  if ((field & IPV4_FRAGMENT.DF) !== 0 && !ignoresDf) return NOT_CUT.FORBIDDEN;
  const room = (mtu - headerLength) & ~7;
  if (room < 8) return NOT_CUT.NO_ROOM;
  PIECE.set(b.subarray(at, at + headerLength));
  const payload = total - headerLength;
  let pieces = 0;
  for (let from = 0; from < payload; from += room) {
    const size = Math.min(room, payload - from);
    const isLast = from + size === payload;
    // What is cut may itself be a fragment: then its last piece has its MF, and offsets go on from its own.
    const more = isLast ? field & IPV4_FRAGMENT.MF : IPV4_FRAGMENT.MF;
    const offset = (field & IPV4_FRAGMENT.OFFSET) + from / 8;
    if (pieces === 1) blankOptions(headerLength);
    PIECE.set(b.subarray(at + headerLength + from, at + headerLength + from + size), headerLength);
    setIpv4Extent(PIECE, 0, headerLength + size, (field & IPV4_FRAGMENT.DF) | more | offset);
    sealIpv4(PIECE, 0);
    take(PIECE, 0, headerLength + size);
    pieces++;
  }
  return pieces;
}

/** Makes NOPs of the options of the header in PIECE that only the first piece has. */
function blankOptions(headerLength: number): void {
  for (let at = IPV4_HEADER_LEN; at < headerLength; ) {
    const option = PIECE[at]!;
    if (option === END_OF_OPTIONS) return;
    if (option === NO_OPERATION) {
      at++;
      continue;
    }
    const size = at + 1 < headerLength ? PIECE[at + 1]! : 0;
    if (size < 2 || at + size > headerLength) return;
    if ((option & COPIED) === 0) PIECE.fill(NO_OPERATION, at, at + size);
    at += size;
  }
}

function fragment6(
  b: Uint8Array,
  at: number,
  length: number,
  mtu: number,
  identification: number,
  take: TakePiece,
): number {
  const total = IPV6_HEADER_LEN + (length < IPV6_HEADER_LEN ? 0 : ipv6PayloadLength(b, at));
  if (total > length) return NOT_CUT.MALFORMED;
  if (total <= mtu) return whole(b, at, total, take);
  if (!CHAIN.toFragmentable(b, at, at + total)) return NOT_CUT.MALFORMED;
  if (isFragmentHeader(CHAIN.protocol)) return NOT_CUT.FORBIDDEN;
  const before = CHAIN.header - at;
  const room = (mtu - before - FRAGMENT_HEADER_LEN) & ~7;
  if (room < 8) return NOT_CUT.NO_ROOM;
  const { protocol } = CHAIN;
  const headerLength = before + FRAGMENT_HEADER_LEN;
  PIECE.set(b.subarray(at, at + before));
  PIECE[CHAIN.namedAt - at] = FRAGMENT_PROTOCOL;
  const payload = total - before;
  let pieces = 0;
  for (let from = 0; from < payload; from += room) {
    const size = Math.min(room, payload - from);
    emitFragmentHeader(PIECE, before, protocol, from, from + size < payload, identification);
    PIECE.set(b.subarray(at + before + from, at + before + from + size), headerLength);
    setIpv6PayloadLength(PIECE, 0, headerLength - IPV6_HEADER_LEN + size);
    take(PIECE, 0, headerLength + size);
    pieces++;
  }
  return pieces;
}

function whole(b: Uint8Array, at: number, total: number, take: TakePiece): number {
  take(b, at, total);
  return 1;
}
