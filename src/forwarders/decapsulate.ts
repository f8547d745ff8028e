import { AF_INET } from '../core/address.ts';
import { PROTOCOL } from '../core/config.ts';
import { PacketView, READING } from '../core/packet-view.ts';
import { u16, u32 } from '../core/wire/bytes.ts';
import { foldSum, isIntact } from '../core/wire/checksum.ts';
import { IPV4_HEADER_LEN, ipv4HeaderLength, pseudoSum4, sealIpv4 } from '../core/wire/ipv4.ts';
import { pseudoSum6 } from '../core/wire/ipv6.ts';
import { TCP_CHECKSUM } from '../core/wire/tcp.ts';
import { UDP_CHECKSUM } from '../core/wire/udp.ts';
import { finishSum } from './complete.ts';
import { IP_PROTOCOL } from './packet-place.ts';
import {
  ETHERTYPE,
  GRE_CHECKSUM,
  GRE_CHECKSUM_LEN,
  GRE_HEADER_LEN,
  GUE_CONTROL,
  GUE_HEADER_LEN,
  GUE_PRIVATE,
  GUE_REMOTE_CHECKSUM,
  GUE_REMOTE_CHECKSUM_LEN,
  GUE_WORDS,
} from './tunnel.ts';

/** What unwrapping answers. */
export const UNWRAPPED = {
  OK: 0,
  /** Headers that contradict each other or the packet's length. */
  MALFORMED: 1,
  /** Well-formed, but with a version, flag or content that no director of ours makes. */
  UNSUPPORTED: 2,
  BAD_CHECKSUM: 3,
  /** A router marked congestion on the outside, and the inside cannot carry the mark (RFC 6040 section 4.2). */
  CONGESTED: 4,
} as const;
export type Unwrapped = (typeof UNWRAPPED)[keyof typeof UNWRAPPED];

/** Flags of GRE beside the checksum's (RFC 2890): each has a field of 4 bytes. */
const GRE_KEY = 0x2000;
const GRE_SEQUENCE = 0x1000;
const GRE_KNOWN = GRE_CHECKSUM | GRE_KEY | GRE_SEQUENCE;

const CONGESTION = 3;

/** Takes IP packets out of tunnels, in place. One packet at a time: the results are valid until the next call. */
export class Decapsulation {
  /** Where the inner packet starts. */
  at = 0;
  /** Its bytes. */
  length = 0;
  private readonly view = new PacketView();

  /** @param version of the inner IP packet at `at`, as the outer header says: 4 or 6 */
  ipip(b: Uint8Array, at: number, end: number, version: number): Unwrapped {
    const { view } = this;
    if (at >= end || b[at]! >>> 4 !== version) return UNWRAPPED.MALFORMED;
    const reading = view.read(b, at, end, false);
    if (reading === READING.MALFORMED) return UNWRAPPED.MALFORMED;
    this.at = at;
    this.length = view.lengthBytes;
    if (reading === READING.WHOLE) this.finishChecksum();
    return UNWRAPPED.OK;
  }

  /** @param at where the payload of a UDP datagram starts */
  gue(b: Uint8Array, at: number, end: number): Unwrapped {
    if (end - at < GUE_HEADER_LEN) return UNWRAPPED.MALFORMED;
    const first = b[at]!;
    // Version 1 has no header: these two bits are the start of the inner packet's own version.
    if (first >>> 6 === 1) return this.ipip(b, at, end, first >>> 4 === 4 ? 4 : 6);
    if (first >>> 6 !== 0 || (first & GUE_CONTROL) !== 0) return UNWRAPPED.UNSUPPORTED;
    const options = at + GUE_HEADER_LEN;
    const inner = options + (first & GUE_WORDS) * 4;
    if (inner > end) return UNWRAPPED.MALFORMED;
    const taken = gueOptions(b, u16(b, at + 2), options, inner, end);
    if (taken !== UNWRAPPED.OK) return taken;
    const content = b[at + 1]!;
    if (content === IP_PROTOCOL.IPIP) return this.ipip(b, inner, end, 4);
    return content === IP_PROTOCOL.IPV6 ? this.ipip(b, inner, end, 6) : UNWRAPPED.UNSUPPORTED;
  }

  /** @param at where the GRE header starts */
  gre(b: Uint8Array, at: number, end: number): Unwrapped {
    if (end - at < GRE_HEADER_LEN) return UNWRAPPED.MALFORMED;
    const flags = u16(b, at);
    if ((flags & ~GRE_KNOWN) !== 0) return UNWRAPPED.UNSUPPORTED;
    let inner = at + GRE_HEADER_LEN;
    if ((flags & GRE_CHECKSUM) !== 0) inner += GRE_CHECKSUM_LEN;
    if ((flags & GRE_KEY) !== 0) inner += 4;
    if ((flags & GRE_SEQUENCE) !== 0) inner += 4;
    if (inner > end) return UNWRAPPED.MALFORMED;
    const type = u16(b, at + 2);
    if (type !== ETHERTYPE.IPV4 && type !== ETHERTYPE.IPV6) return UNWRAPPED.UNSUPPORTED;
    const result = this.ipip(b, inner, end, type === ETHERTYPE.IPV4 ? 4 : 6);
    // After the inner checksum is finished: a sender that leaves it to its hardware counts on the finished one.
    const isChecked = (flags & GRE_CHECKSUM) !== 0;
    return isChecked && !isIntact(b, at, end - at) ? UNWRAPPED.BAD_CHECKSUM : result;
  }

  /** Takes a congestion mark of the outer header over to the packet that was just unwrapped. @param tos the outer one */
  carryCongestion(tos: number): Unwrapped {
    if ((tos & CONGESTION) !== CONGESTION) return UNWRAPPED.OK;
    const { view, at } = this;
    const b = view.bytes;
    const shift = view.isV6 ? 4 : 0;
    const mark = (b[at + 1]! >>> shift) & CONGESTION;
    if (mark === 0) return UNWRAPPED.CONGESTED;
    if (mark === CONGESTION) return UNWRAPPED.OK;
    // A damaged header must stay recognizable.
    const wasIntact = view.isV6 || isIntact(b, at, ipv4HeaderLength(b, at));
    b[at + 1]! |= CONGESTION << shift;
    if (!view.isV6 && wasIntact) sealIpv4(b, at);
    return UNWRAPPED.OK;
  }

  /**
   * Between virtual devices a TCP or UDP checksum may come unfinished: the field then holds the sum of the pseudo
   * header, and the bytes don't tell. A right checksum that looks the same is left as it is; a wrong one that does is
   * one of 65536 damaged packets.
   */
  private finishChecksum(): void {
    const { view } = this;
    const { bytes, transport, end, protocol } = view;
    const length = end - transport;
    const offset = protocol === PROTOCOL.TCP ? TCP_CHECKSUM : protocol === PROTOCOL.UDP ? UDP_CHECKSUM : -1;
    if (offset < 0 || length < offset + 2) return;
    const field = transport + offset;
    const pseudo =
      view.src.family === AF_INET
        ? pseudoSum4(bytes, view.at, length)
        : pseudoSum6(bytes, view.at, protocol, length);
    if (u16(bytes, field) !== foldSum(pseudo)) return;
    if (isIntact(bytes, transport, length, pseudo)) return;
    finishSum(bytes, transport, field, end);
  }
}

/** @returns where the payload of the IPv4 packet at `at` starts, or -1 if that is none */
export function ipv4Payload(b: Uint8Array, at: number, end: number): number {
  if (end - at < IPV4_HEADER_LEN || b[at]! >>> 4 !== 4) return -1;
  const length = ipv4HeaderLength(b, at);
  return length < IPV4_HEADER_LEN || length > end - at ? -1 : at + length;
}

/** Does what the optional fields ask for. */
function gueOptions(b: Uint8Array, flags: number, options: number, inner: number, end: number): Unwrapped {
  if (flags === 0) return UNWRAPPED.OK;
  if (flags !== GUE_PRIVATE) return UNWRAPPED.UNSUPPORTED;
  if (inner - options < 4) return UNWRAPPED.MALFORMED;
  const privateFlags = u32(b, options);
  if (privateFlags === 0) return UNWRAPPED.OK;
  if (privateFlags !== GUE_REMOTE_CHECKSUM) return UNWRAPPED.UNSUPPORTED;
  if (inner - options < GUE_REMOTE_CHECKSUM_LEN) return UNWRAPPED.MALFORMED;
  const start = inner + u16(b, options + 4);
  const field = inner + u16(b, options + 6);
  if (start > end || field + 2 > end) return UNWRAPPED.MALFORMED;
  finishSum(b, start, field, end);
  return UNWRAPPED.OK;
}
