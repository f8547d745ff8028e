import { setU16, setU32, u16, u32 } from './bytes.ts';
import {
  extensionLength,
  IPV6_HEADER_LEN,
  ipv6NextHeader,
  isExtensionHeader,
  isFragmentHeader,
} from './ipv6.ts';

// RFC 8200 section 4.5. Offsets in bytes from the start of the fragment header; all fields big-endian.
const NEXT_HEADER = 0;
const OFFSET_AND_MORE = 2;
const IDENTIFICATION = 4;
export const FRAGMENT_HEADER_LEN = 8;

/** Number of this header in the one before it. */
export const FRAGMENT_PROTOCOL = 44;

const MORE = 1;
const OFFSET = 0xfff8;

/** Headers that every router, or every stop of a route, looks at: they come before the fragment header. */
const HOP_BY_HOP = 0;
const ROUTING = 43;
const DESTINATION_OPTIONS = 60;
/** Where the fixed header names the one after it. */
const FIRST_NEXT_HEADER = 6;
const SHORTEST_EXTENSION = 8;

export interface FragmentHeader {
  /** Of what was cut. */
  readonly nextHeader: number;
  /** Of the piece's first byte, a multiple of 8. */
  readonly offsetBytes: number;
  readonly isMore: boolean;
  /** u32. */
  readonly identification: number;
}

/** @returns `undefined` if the bytes at `at` cannot be a fragment header. */
export function parseFragmentHeader(b: Uint8Array, at: number): FragmentHeader | undefined {
  if (b.length - at < FRAGMENT_HEADER_LEN) return undefined;
  return {
    nextHeader: b[at + NEXT_HEADER]!,
    offsetBytes: fragmentOffset(b, at),
    isMore: hasMoreFragments(b, at),
    identification: fragmentId(b, at),
  };
}

export const fragmentOffset = (b: Uint8Array, at: number): number => u16(b, at + OFFSET_AND_MORE) & OFFSET;
export const hasMoreFragments = (b: Uint8Array, at: number): boolean =>
  (u16(b, at + OFFSET_AND_MORE) & MORE) !== 0;
/** @returns a u32 */
export const fragmentId = (b: Uint8Array, at: number): number => u32(b, at + IDENTIFICATION);

/** Writes the header; nothing is made for it. @param offsetBytes a multiple of 8 */
export function emitFragmentHeader(
  b: Uint8Array,
  at: number,
  nextHeader: number,
  offsetBytes: number,
  isMore: boolean,
  identification: number,
): void {
  b[at + NEXT_HEADER] = nextHeader;
  b[at + 1] = 0;
  setU16(b, at + OFFSET_AND_MORE, offsetBytes | (isMore ? MORE : 0));
  setU32(b, at + IDENTIFICATION, identification);
}

/** Walks the headers of an IPv6 packet; one walker serves many packets. */
export class HeaderChain {
  /** Number of the present header. */
  protocol = 0;
  /** Where the present header starts. */
  header = 0;
  /** Where its number stands: in the header before it. */
  namedAt = 0;

  /** Goes to the first header behind the fixed one, of which all is there. @param at where the packet starts */
  start(b: Uint8Array, at: number): void {
    this.namedAt = at + FIRST_NEXT_HEADER;
    this.header = at + IPV6_HEADER_LEN;
    this.protocol = ipv6NextHeader(b, at);
  }

  /** Goes past an extension header. @param end where the packet ends @returns false if the header is cut off */
  step(b: Uint8Array, end: number): boolean {
    if (end - this.header < SHORTEST_EXTENSION) return false;
    this.namedAt = this.header;
    this.header += extensionLength(b, this.header, this.protocol);
    this.protocol = b[this.namedAt]!;
    return this.header <= end;
  }

  /**
   * Goes to where a fragment header belongs: behind hop-by-hop options, a routing header and the destination options
   * before it. @returns false if the headers are cut off
   */
  toFragmentable(b: Uint8Array, at: number, end: number): boolean {
    let isRouted = false;
    this.start(b, at);
    for (;;) {
      const { protocol } = this;
      const isOptions = protocol === HOP_BY_HOP || (protocol === DESTINATION_OPTIONS && !isRouted);
      if (!isOptions && protocol !== ROUTING) return true;
      if (protocol === ROUTING) isRouted = true;
      if (!this.step(b, end)) return false;
    }
  }

  /** Goes to the fragment header. @returns false if there is none, or it is cut off */
  toFragmentHeader(b: Uint8Array, at: number, end: number): boolean {
    this.start(b, at);
    while (!isFragmentHeader(this.protocol)) {
      if (!isExtensionHeader(this.protocol) || !this.step(b, end)) return false;
    }
    return end - this.header >= FRAGMENT_HEADER_LEN;
  }
}

export const formatFragmentHeader = (h: FragmentHeader): string =>
  `fragment ${h.identification} at ${h.offsetBytes}${h.isMore ? '+' : ''} next ${h.nextHeader}`;
