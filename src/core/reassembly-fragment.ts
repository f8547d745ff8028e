import {
  IPV4_FRAGMENT,
  IPV4_HEADER_LEN,
  ipVersion,
  ipv4Dst,
  ipv4Fragment,
  ipv4HeaderLength,
  ipv4Id,
  ipv4Protocol,
  ipv4Src,
  ipv4TotalLength,
} from './wire/ipv4.ts';
import { IPV6_HEADER_LEN, ipv6DstWord, ipv6PayloadLength, ipv6SrcWord } from './wire/ipv6.ts';
import {
  FRAGMENT_HEADER_LEN,
  fragmentId,
  fragmentOffset,
  HeaderChain,
  hasMoreFragments,
} from './wire/ipv6-fragment.ts';

/** Words of a key: both addresses, identification, protocol (IPv6: 0) and version. */
export const KEY_WORDS = 10;
export const ID_WORD = 8;
const KIND_WORD = 9;

/** The fields of one fragment, as numbers; valid until the next `read`. Reading makes no object. */
export class FragmentView {
  isV6 = false;
  /** What all fragments of a packet have in common. */
  readonly key = new Int32Array(KEY_WORDS);
  /** Bytes of the header that the whole packet will have: IPv4 with options, IPv6 up to the fragment header. */
  headerLength = 0;
  /** Where the payload starts. */
  payload = 0;
  /** Of the whole packet's payload the fragment holds the bytes [start, stop). */
  start = 0;
  stop = 0;
  isLast = false;
  hasDf = false;
  /** Whole fragment, IP header included. */
  lengthBytes = 0;
  /** Code point of explicit congestion notification, 0 to 3 (RFC 3168). */
  ecn = 0;
  /** IPv6: what the fragment header names, and where in the packet the number of the fragment header itself stands. */
  nextHeader = 0;
  namedAt = 0;
  private readonly chain = new HeaderChain();

  /** @returns false if the bytes cannot be an IP packet, or no fragment header is found in one of IPv6 */
  read(b: Uint8Array, at: number, length: number): boolean {
    if (length < IPV4_HEADER_LEN || b.length - at < length) return false;
    const version = ipVersion(b, at);
    if (version === 4) return this.read4(b, at, length);
    return version === 6 && length >= IPV6_HEADER_LEN && this.read6(b, at, length);
  }

  private read4(b: Uint8Array, at: number, length: number): boolean {
    const headerLength = ipv4HeaderLength(b, at);
    const total = ipv4TotalLength(b, at);
    if (headerLength < IPV4_HEADER_LEN || total < headerLength || total > length) return false;
    const { key } = this;
    const field = ipv4Fragment(b, at);
    this.isV6 = false;
    key.fill(0);
    key[0] = ipv4Src(b, at);
    key[1] = ipv4Dst(b, at);
    key[ID_WORD] = ipv4Id(b, at);
    key[KIND_WORD] = 0x400 | ipv4Protocol(b, at);
    this.headerLength = headerLength;
    this.payload = at + headerLength;
    this.lengthBytes = total;
    this.isLast = (field & IPV4_FRAGMENT.MF) === 0;
    this.hasDf = (field & IPV4_FRAGMENT.DF) !== 0;
    this.start = (field & IPV4_FRAGMENT.OFFSET) * 8;
    this.stop = this.start + total - headerLength;
    this.ecn = b[at + 1]! & 3;
    return true;
  }

  private read6(b: Uint8Array, at: number, length: number): boolean {
    const { key, chain } = this;
    const total = IPV6_HEADER_LEN + ipv6PayloadLength(b, at);
    if (total > length || !chain.toFragmentHeader(b, at, at + total)) return false;
    const { header } = chain;
    this.isV6 = true;
    for (let i = 0; i < 4; i++) {
      key[i] = ipv6SrcWord(b, at, i);
      key[4 + i] = ipv6DstWord(b, at, i);
    }
    key[ID_WORD] = fragmentId(b, header);
    key[KIND_WORD] = 0x600;
    this.headerLength = header - at;
    this.payload = header + FRAGMENT_HEADER_LEN;
    this.lengthBytes = total;
    this.isLast = !hasMoreFragments(b, header);
    this.hasDf = false;
    this.start = fragmentOffset(b, header);
    this.stop = this.start + total - this.headerLength - FRAGMENT_HEADER_LEN;
    this.ecn = (b[at + 1]! >>> 4) & 3;
    this.nextHeader = b[header]!;
    this.namedAt = chain.namedAt - at;
    return true;
  }
}
