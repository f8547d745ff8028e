import { type Address, AF_INET6 } from '../../src/core/address.ts';
import { PROTOCOL } from '../../src/core/config.ts';
import { setU16 } from '../../src/core/wire/bytes.ts';
import { checksumOf } from '../../src/core/wire/checksum.ts';
import { emitIcmp, ICMP_HEADER_LEN } from '../../src/core/wire/icmp.ts';
import { emitIpv4, IPV4_HEADER_LEN, pseudoSum4, sealIpv4 } from '../../src/core/wire/ipv4.ts';
import { emitIpv6, IPV6_HEADER_LEN, pseudoSum6 } from '../../src/core/wire/ipv6.ts';
import { emitSctp, SCTP_CHUNK_LEN, SCTP_HEADER_LEN } from '../../src/core/wire/sctp.ts';
import { emitTcp } from '../../src/core/wire/tcp.ts';
import { emitUdp, UDP_HEADER_LEN } from '../../src/core/wire/udp.ts';

/** A packet with ports, as tests speak of it. */
export interface Segment {
  readonly protocol: number;
  readonly src: Address;
  readonly sport: number;
  readonly dst: Address;
  readonly dport: number;
  /** TCP: bits of TCP_FLAG. SCTP: type of the first chunk. */
  readonly flags?: number;
  /** TCP: bytes of the header. */
  readonly tcpHeaderLength?: number;
  /** Bytes after the transport header (SCTP: after the first chunk's head). */
  readonly payloadLength?: number;
  /** In place of a payload of `x`. */
  readonly payload?: string;
}

/** Bytes of IP options (IPv4), or one extension header of so many bytes (IPv6). */
export interface IpExtras {
  readonly optionBytes?: number;
  /** Bits of the fragment field (IPv4). */
  readonly fragment?: number;
}

/** @returns the IP packet, with right checksums but for SCTP's */
export function packetOf(segment: Segment, extras: IpExtras = {}): Uint8Array {
  return ipPacket(segment, segment.protocol, transportOf(segment), extras);
}

/** An ICMP or ICMPv6 message from `src` to `dst` that quotes a packet. */
export function icmpPacketOf(
  from: { readonly src: Address; readonly dst: Address },
  type: number,
  code: number,
  quoted: Uint8Array,
): Uint8Array {
  const message = new Uint8Array(ICMP_HEADER_LEN + quoted.length);
  emitIcmp(message, 0, { type, code, checksum: 0, rest: 0 });
  message.set(quoted, ICMP_HEADER_LEN);
  return ipPacket(from, from.src.family === AF_INET6 ? 58 : 1, message, {});
}

function ipPacket(
  { src, dst }: { readonly src: Address; readonly dst: Address },
  protocol: number,
  body: Uint8Array,
  { optionBytes = 0, fragment = 0 }: IpExtras,
): Uint8Array {
  const isV6 = src.family === AF_INET6;
  const headerLength = (isV6 ? IPV6_HEADER_LEN : IPV4_HEADER_LEN) + optionBytes;
  const b = new Uint8Array(headerLength + body.length);
  b.set(body, headerLength);
  if (isV6) {
    emitIpv6(b, 0, {
      trafficClass: 0,
      flowLabel: 0,
      payloadLength: optionBytes + body.length,
      nextHeader: optionBytes > 0 ? 60 : protocol,
      hopLimit: 64,
      src: src.words,
      dst: dst.words,
    });
    if (optionBytes > 0) b.set([protocol, optionBytes / 8 - 1], IPV6_HEADER_LEN);
  } else {
    emitIpv4(b, 0, {
      headerLength,
      tos: 0,
      totalLength: b.length,
      id: 1,
      fragment,
      ttl: 64,
      protocol,
      checksum: 0,
      src: src.words[0],
      dst: dst.words[0],
    });
    b.fill(1, IPV4_HEADER_LEN, headerLength);
    sealIpv4(b, 0);
  }
  const pseudo = isV6 ? pseudoSum6(b, 0, protocol, body.length) : pseudoSum4(b, 0, body.length);
  sealTransport(b, headerLength, protocol, pseudo);
  return b;
}

const CHECKSUM_AT: Readonly<Record<number, number>> = { 1: 2, 6: 16, 17: 6, 58: 2 };

function sealTransport(b: Uint8Array, at: number, protocol: number, pseudo: number): void {
  const field = CHECKSUM_AT[protocol];
  if (field !== undefined)
    setU16(b, at + field, checksumOf(b, at, b.length - at, protocol === 1 ? 0 : pseudo));
}

function transportOf(segment: Segment): Uint8Array {
  const { protocol, sport: srcPort, dport: dstPort, flags = 0, payload } = segment;
  const payloadLength = payload?.length ?? segment.payloadLength ?? 0;
  const tcpHeaderLength = segment.tcpHeaderLength ?? 20;
  const headerLength =
    protocol === PROTOCOL.TCP
      ? tcpHeaderLength
      : protocol === PROTOCOL.UDP
        ? UDP_HEADER_LEN
        : SCTP_HEADER_LEN + SCTP_CHUNK_LEN;
  const b = new Uint8Array(headerLength + payloadLength).fill(0x78, headerLength);
  if (payload !== undefined) b.set(new TextEncoder().encode(payload), headerLength);
  if (protocol === PROTOCOL.TCP) {
    emitTcp(b, 0, {
      srcPort,
      dstPort,
      sequence: 1000,
      acknowledgement: 2000,
      headerLength,
      flags,
      window: 65535,
      checksum: 0,
      urgent: 0,
    });
  } else if (protocol === PROTOCOL.UDP) {
    emitUdp(b, 0, { srcPort, dstPort, length: b.length, checksum: 0 });
  } else {
    const chunkLength = SCTP_CHUNK_LEN + payloadLength;
    emitSctp(b, 0, { srcPort, dstPort, tag: 7, checksum: 0, chunkType: flags, chunkFlags: 0, chunkLength });
  }
  return b;
}
