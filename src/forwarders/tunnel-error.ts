import type { Address } from '../core/address.ts';
import { PROTOCOL, TUNNEL_TYPE } from '../core/config.ts';
import { PacketView, READING, type ScratchAddress } from '../core/packet-view.ts';
import { u16 } from '../core/wire/bytes.ts';
import { isIntact } from '../core/wire/checksum.ts';
import { ICMP_HEADER_LEN, ICMP_TYPE, icmpCode, icmpRest, icmpType, isIcmpError } from '../core/wire/icmp.ts';
import { IPV4_FRAGMENT, ipv4Fragment } from '../core/wire/ipv4.ts';
import { dstPort, UDP_HEADER_LEN } from '../core/wire/udp.ts';
import { type ErrorSender, writeIcmpError } from './icmp-error.ts';
import { IP_PROTOCOL, type PacketPlace } from './packet-place.ts';
import {
  ETHERTYPE,
  GRE_CHECKSUM,
  GRE_CHECKSUM_LEN,
  GRE_HEADER_LEN,
  GUE_CONTROL,
  GUE_HEADER_LEN,
  GUE_WORDS,
} from './tunnel.ts';

const FRAGMENTATION_NEEDED = 4;
const NONE = -1;

/** What an outer IPv4 header takes of the path's MTU; a smaller rest than this of an MTU is told as it is. */
const OUTER_BYTES = 20;
const LEAST_MTU = 68;

/**
 * An ICMP error about one of the director's own tunnel packets: tells the server that it was for and the client's packet
 * in it, and becomes an answer for the client (ip_vs_in_icmp). IPv4 in IPv4 only, as in the kernel. The caller finds
 * out whether the tunnel is one of its destinations' and the packet one of a connection's.
 */
export class TunnelError {
  /** The client's packet, as far as it is quoted; its ports are read. */
  readonly inner = new PacketView();
  /** One of TUNNEL_TYPE. */
  tunnelType: number = TUNNEL_TYPE.IPIP;
  /** UDP port of the server, 0 but for GUE. */
  port = 0;
  private readonly outer = new PacketView();
  private type = 0;
  private code = 0;
  private rest = 0;

  /** The server's address; valid until the next `read`. */
  get server(): ScratchAddress {
    return this.outer.dst;
  }

  /** @returns false if it is no sound error about a tunnel packet that quotes enough of the packet within */
  read(error: PacketPlace): boolean {
    const { bytes, transport, end, isV6, protocol } = error;
    if (isV6 || protocol !== IP_PROTOCOL.ICMP || end - transport < ICMP_HEADER_LEN) return false;
    this.type = icmpType(bytes, transport);
    this.code = icmpCode(bytes, transport);
    this.rest = icmpRest(bytes, transport);
    if (!isIcmpError(this.type) || !isIntact(bytes, transport, end - transport)) return false;
    const { outer, inner } = this;
    const reading = outer.read(bytes, transport + ICMP_HEADER_LEN, end, true);
    if (reading === READING.MALFORMED || outer.isV6 || isLaterFragment(outer)) return false;
    const at = this.findInner();
    if (at === NONE || inner.read(bytes, at, outer.end, true) === READING.MALFORMED) return false;
    return !inner.isV6 && !isLaterFragment(inner) && inner.readQuotedPorts() === READING.WHOLE;
  }

  /** MTU that a router reports, for the path to the server; 0: it does not know. -1 in errors about other things */
  get reportedMtu(): number {
    return this.isAboutLength ? this.rest & 0xffff : NONE;
  }

  /**
   * Writes the answer for the client: type and code of the error, quoting the client's packet, from the virtual service.
   * @param pathMtu bytes of an IP packet that the path to the server takes, the report taken into account
   * @param ttl of the answer
   * @param id identification of the answer
   * @returns its length in bytes; 0 if the client is not to be told: its packet may be cut, or must not be answered
   */
  writeAnswer(out: Uint8Array, outAt: number, pathMtu: number, ttl: number, id: number): number {
    const { inner, type, code } = this;
    const { isAboutLength } = this;
    if (isAboutLength && (ipv4Fragment(inner.bytes, inner.at) & IPV4_FRAGMENT.DF) === 0) return 0;
    const rest = isAboutLength ? mtuWithin(pathMtu) : this.rest;
    const source: Address = inner.dst;
    const sender: ErrorSender = { source, ttl, id };
    return writeIcmpError(out, outAt, inner, { type, code, rest }, sender);
  }

  private get isAboutLength(): boolean {
    return this.type === ICMP_TYPE.DESTINATION_UNREACHABLE && this.code === FRAGMENTATION_NEEDED;
  }

  /** @returns where the packet in the tunnel starts, or -1 */
  private findInner(): number {
    const { outer } = this;
    this.port = 0;
    switch (outer.protocol) {
      case IP_PROTOCOL.IPIP:
        this.tunnelType = TUNNEL_TYPE.IPIP;
        return outer.transport;
      case PROTOCOL.UDP:
        this.tunnelType = TUNNEL_TYPE.GUE;
        return this.findInGue();
      case IP_PROTOCOL.GRE:
        this.tunnelType = TUNNEL_TYPE.GRE;
        return findInGre(outer);
      default:
        return NONE;
    }
  }

  private findInGue(): number {
    const { bytes, transport, end } = this.outer;
    const gue = transport + UDP_HEADER_LEN;
    if (end - gue < GUE_HEADER_LEN) return NONE;
    this.port = dstPort(bytes, transport);
    const first = bytes[gue]!;
    if (first >>> 6 !== 0 || (first & GUE_CONTROL) !== 0 || bytes[gue + 1] !== IP_PROTOCOL.IPIP) return NONE;
    return gue + GUE_HEADER_LEN + (first & GUE_WORDS) * 4;
  }
}

/** Of GRE only what the director itself writes. */
function findInGre({ bytes, transport, end }: PacketView): number {
  if (end - transport < GRE_HEADER_LEN) return NONE;
  const flags = u16(bytes, transport);
  if ((flags & ~GRE_CHECKSUM) !== 0 || u16(bytes, transport + 2) !== ETHERTYPE.IPV4) return NONE;
  return transport + GRE_HEADER_LEN + (flags === 0 ? 0 : GRE_CHECKSUM_LEN);
}

const isLaterFragment = ({ bytes, at }: PacketView): boolean =>
  (ipv4Fragment(bytes, at) & IPV4_FRAGMENT.OFFSET) !== 0;

const mtuWithin = (pathMtu: number): number =>
  pathMtu > LEAST_MTU + OUTER_BYTES ? pathMtu - OUTER_BYTES : pathMtu;
