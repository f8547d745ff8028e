import { emitIpv4, IPV4_FRAGMENT, IPV4_HEADER_LEN, sealIpv4 } from '../../src/core/wire/ipv4.ts';
import { emitIpv6, IPV6_HEADER_LEN } from '../../src/core/wire/ipv6.ts';
import { emitFragmentHeader, FRAGMENT_HEADER_LEN } from '../../src/core/wire/ipv6-fragment.ts';

const UDP = 17;
const DESTINATION_OPTIONS = 60;
const FRAGMENT = 44;

/** A fragment, as tests speak of it. */
export interface Piece {
  readonly version: 4 | 6;
  /** Of the first byte in the packet's payload, a multiple of 8. */
  readonly start: number;
  readonly payload: Uint8Array;
  readonly isMore: boolean;
  readonly id?: number;
  readonly hasDf?: boolean;
  /** Code point of congestion notification. */
  readonly ecn?: number;
  /** Of IPv4; of IPv6, destination options before the fragment header (a multiple of 8). */
  readonly optionBytes?: number;
  /** Last number of the sender's address. */
  readonly sender?: number;
}

/** The fragment's bytes; the header of a whole packet if it starts at 0, has no more to come and is of IPv4. */
export const pieceOf = (piece: Piece): Uint8Array => (piece.version === 4 ? piece4(piece) : piece6(piece));

/** The whole IPv6 packet from whose cutting fragments come. */
export function wholePacket6(payload: Uint8Array, optionBytes = 0, ecn = 0): Uint8Array {
  const b = new Uint8Array(IPV6_HEADER_LEN + optionBytes + payload.length);
  emitHeader6(b, optionBytes > 0 ? DESTINATION_OPTIONS : UDP, ecn, 1);
  if (optionBytes > 0) b.set([UDP, optionBytes / 8 - 1], IPV6_HEADER_LEN);
  b.set(payload, IPV6_HEADER_LEN + optionBytes);
  return b;
}

function piece4({ start, payload, isMore, ...rest }: Piece): Uint8Array {
  const { id = 1, hasDf = false, ecn = 0, optionBytes = 0, sender = 1 } = rest;
  const headerLength = IPV4_HEADER_LEN + optionBytes;
  const b = new Uint8Array(headerLength + payload.length);
  b.fill(1, IPV4_HEADER_LEN, headerLength);
  b.set(payload, headerLength);
  emitIpv4(b, 0, {
    headerLength,
    tos: 0x20 | ecn,
    totalLength: b.length,
    id,
    fragment: (hasDf ? IPV4_FRAGMENT.DF : 0) | (isMore ? IPV4_FRAGMENT.MF : 0) | (start / 8),
    ttl: 64,
    protocol: UDP,
    checksum: 0,
    src: 0x0a010000 + sender,
    dst: 0x0a000001,
  });
  sealIpv4(b, 0);
  return b;
}

function piece6({ start, payload, isMore, id = 1, ecn = 0, optionBytes = 0, sender = 1 }: Piece): Uint8Array {
  const fragmentAt = IPV6_HEADER_LEN + optionBytes;
  const b = new Uint8Array(fragmentAt + FRAGMENT_HEADER_LEN + payload.length);
  emitHeader6(b, optionBytes > 0 ? DESTINATION_OPTIONS : FRAGMENT, ecn, sender);
  if (optionBytes > 0) b.set([FRAGMENT, optionBytes / 8 - 1], IPV6_HEADER_LEN);
  emitFragmentHeader(b, fragmentAt, UDP, start, isMore, id);
  b.set(payload, fragmentAt + FRAGMENT_HEADER_LEN);
  return b;
}

function emitHeader6(b: Uint8Array, nextHeader: number, ecn: number, sender: number): void {
  emitIpv6(b, 0, {
    trafficClass: 0x20 | ecn,
    flowLabel: 0x12345,
    payloadLength: b.length - IPV6_HEADER_LEN,
    nextHeader,
    hopLimit: 64,
    src: [0xfd000001 | 0, 0, 0, sender],
    dst: [0xfd000000 | 0, 0, 0, 1],
  });
}
