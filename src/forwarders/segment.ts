import { PROTOCOL } from '../core/config.ts';
import { setU16 } from '../core/wire/bytes.ts';
import { foldSum } from '../core/wire/checksum.ts';
import {
  IPV4_FRAGMENT,
  ipv4Fragment,
  ipv4Id,
  pseudoSum4,
  sealIpv4,
  setIpv4Extent,
  setIpv4Id,
} from '../core/wire/ipv4.ts';
import { IPV6_HEADER_LEN, pseudoSum6, setIpv6PayloadLength } from '../core/wire/ipv6.ts';
import {
  setTcpPiece,
  TCP_CHECKSUM,
  TCP_FLAG,
  TCP_HEADER_LEN,
  tcpFlags,
  tcpHeaderLength,
  tcpSequence,
} from '../core/wire/tcp.ts';
import { setUdpLength, UDP_CHECKSUM, UDP_HEADER_LEN } from '../core/wire/udp.ts';
import { finishSum } from './complete.ts';
import type { PacketPlace } from './packet-place.ts';
import { VNET_GSO } from './vnet-header.ts';

/** "Congestion window reduced" (RFC 3168): said once. */
const CWR = 128;
const ONLY_FIRST = CWR;
const ONLY_LAST = TCP_FLAG.FIN | TCP_FLAG.PSH;

/** Cuts super-packets into the packets that they stand for. One super-packet at a time. */
export class SuperPacket {
  private bytes: Uint8Array = new Uint8Array(0);
  private at = 0;
  private transport = 0;
  private end = 0;
  private isV6 = false;
  private protocol = 0;
  /** Where the payload starts. */
  private payload = 0;
  private gsoSize = 1;
  private count = 0;

  /**
   * Takes up a super-packet; its bytes stay where they are, unchanged, until all of it is written.
   * @param gsoType one of VNET_GSO, without ECN
   * @param gsoSize bytes of payload of each packet but the last
   * @returns how many packets it stands for; 0 if it is none, or its headers contradict the type
   */
  load(place: PacketPlace, gsoType: number, gsoSize: number): number {
    this.count = 0;
    const { bytes, at, transport, end, isV6, protocol } = place;
    if (gsoSize === 0 || protocol !== protocolOf(gsoType, isV6)) return 0;
    const isTcp = protocol === PROTOCOL.TCP;
    if (end - transport < (isTcp ? TCP_HEADER_LEN : UDP_HEADER_LEN)) return 0;
    const headerLength = isTcp ? tcpHeaderLength(bytes, transport) : UDP_HEADER_LEN;
    const payload = transport + headerLength;
    if (headerLength < UDP_HEADER_LEN || payload > end || (isTcp && headerLength < TCP_HEADER_LEN)) return 0;
    this.bytes = bytes;
    this.at = at;
    this.transport = transport;
    this.end = end;
    this.isV6 = isV6;
    this.protocol = protocol;
    this.payload = payload;
    this.gsoSize = gsoSize;
    this.count = Math.max(1, Math.ceil((end - payload) / gsoSize));
    return this.count;
  }

  /** Bytes of one of the packets, 0 to the number that `load` told less one. */
  lengthOf(index: number): number {
    return this.payload - this.at + this.pieceLength(index);
  }

  /**
   * Writes one of the packets, IP header and all.
   * @param leavesChecksum the transport checksum is left unfinished, the pseudo header's sum in its field
   * @returns its length in bytes; 0 if there is no such packet, or no room for it
   */
  write(index: number, out: Uint8Array, outAt: number, leavesChecksum: boolean): number {
    if (index < 0 || index >= this.count) return 0;
    const length = this.lengthOf(index);
    if (outAt + length > out.length) return 0;
    const { bytes, at, payload, gsoSize } = this;
    const from = payload + index * gsoSize;
    copy(bytes, at, out, outAt, payload - at);
    copy(bytes, from, out, outAt + payload - at, length - (payload - at));
    this.writeIpLength(index, out, outAt, length);
    this.writeTransport(index, out, outAt, length, leavesChecksum);
    return length;
  }

  private pieceLength(index: number): number {
    return Math.min(this.gsoSize, this.end - this.payload - index * this.gsoSize);
  }

  private writeIpLength(index: number, out: Uint8Array, at: number, length: number): void {
    if (this.isV6) {
      setIpv6PayloadLength(out, at, length - IPV6_HEADER_LEN);
      return;
    }
    setIpv4Extent(out, at, length, ipv4Fragment(out, at) & IPV4_FRAGMENT.DF);
    setIpv4Id(out, at, (ipv4Id(out, at) + index) & 0xffff);
    sealIpv4(out, at);
  }

  private writeTransport(
    index: number,
    out: Uint8Array,
    at: number,
    length: number,
    leavesChecksum: boolean,
  ): void {
    const transport = at + this.transport - this.at;
    const transportLength = at + length - transport;
    const isTcp = this.protocol === PROTOCOL.TCP;
    if (isTcp) {
      const sequence = (tcpSequence(out, transport) + index * this.gsoSize) | 0;
      setTcpPiece(out, transport, sequence, this.flagsOf(index, tcpFlags(out, transport)));
    } else setUdpLength(out, transport, transportLength);
    const field = transport + (isTcp ? TCP_CHECKSUM : UDP_CHECKSUM);
    const pseudo = this.isV6
      ? pseudoSum6(out, at, this.protocol, transportLength)
      : pseudoSum4(out, at, transportLength);
    setU16(out, field, foldSum(pseudo));
    if (!leavesChecksum) finishSum(out, transport, field, at + length);
  }

  private flagsOf(index: number, flags: number): number {
    const first = index === 0 ? flags : flags & ~ONLY_FIRST;
    return index === this.count - 1 ? first : first & ~ONLY_LAST;
  }
}

/** @returns -1 if packets of the type cannot be cut, or are of the other IP version */
function protocolOf(gsoType: number, isV6: boolean): number {
  if (gsoType === VNET_GSO.UDP_L4) return PROTOCOL.UDP;
  return gsoType === (isV6 ? VNET_GSO.TCPV6 : VNET_GSO.TCPV4) ? PROTOCOL.TCP : -1;
}

function copy(from: Uint8Array, at: number, to: Uint8Array, toAt: number, length: number): void {
  to.set(from.subarray(at, at + length), toAt);
}
