import { AF_INET, AF_INET6, type Family } from './address.ts';
import { PROTOCOL } from './config.ts';
import type { Flow } from './flow.ts';
import { SCTP_EVENT, sctpEvent } from './sctp.ts';
import { tcpEvent } from './tcp.ts';
import { u16 } from './wire/bytes.ts';
import {
  IPV4_HEADER_LEN,
  ipVersion,
  ipv4Dst,
  ipv4HeaderLength,
  ipv4Protocol,
  ipv4Src,
  ipv4TotalLength,
  isIpv4Fragment,
} from './wire/ipv4.ts';
import {
  extensionLength,
  IPV6_HEADER_LEN,
  ipv6DstWord,
  ipv6NextHeader,
  ipv6PayloadLength,
  ipv6SrcWord,
  isExtensionHeader,
  isFragmentHeader,
} from './wire/ipv6.ts';
import { chunkType, SCTP_CHUNK, SCTP_CHUNK_LEN, SCTP_HEADER_LEN } from './wire/sctp.ts';
import { TCP_FLAG, TCP_HEADER_LEN, tcpFlags } from './wire/tcp.ts';
import { dstPort, srcPort, UDP_HEADER_LEN } from './wire/udp.ts';

/** What `read` and `readTransport` answer. */
export const READING = { WHOLE: 0, FRAGMENT: 1, MALFORMED: 2 } as const;

// Copies, quicker to read; see entry-records.ts.
const { WHOLE, FRAGMENT, MALFORMED } = READING;
const { TCP, SCTP } = PROTOCOL;
const { SYN } = TCP_FLAG;
const V4 = AF_INET;
const IPV4_MIN = IPV4_HEADER_LEN;
const TCP_MIN = TCP_HEADER_LEN;
const UDP_MIN = UDP_HEADER_LEN;
const SCTP_MIN = SCTP_HEADER_LEN + SCTP_CHUNK_LEN;
const { INIT } = SCTP_EVENT;

const LATER_FRAGMENT = 0xfff8;

/** An Address whose words are written again and again; whoever keeps it copies them. */
export interface ScratchAddress {
  family: Family;
  words: [number, number, number, number];
}

const scratchAddress = (): ScratchAddress => ({ family: AF_INET, words: [0, 0, 0, 0] });

/** The fields of one packet, as numbers; valid until the next `read`. Reading makes no object. */
export class PacketView {
  bytes: Uint8Array = new Uint8Array(0);
  /** Where the IP header starts. */
  at = 0;
  /** Where the transport header starts. */
  transport = 0;
  /** Where the packet ends: what may be there behind it is no part of it. */
  end = 0;
  /** IP header and payload, as counters count. */
  lengthBytes = 0;
  isV6 = false;
  /** Of the transport header, behind extension headers. */
  protocol = 0;
  readonly src = scratchAddress();
  readonly dst = scratchAddress();
  sport = 0;
  dport = 0;
  /** Of the protocol's state machine. */
  event = 0;
  /** Whether the packet opens a connection where there is one with its ports: SYN, or INIT; never a datagram. */
  isOpening = false;

  /**
   * Reads the IP header at `at` with options or extension headers.
   * @param limit where the bytes end that belong to the packet
   * @param isQuoted it is quoted by an ICMP error, so that its end may be cut off
   */
  read(bytes: Uint8Array, at: number, limit: number, isQuoted: boolean): number {
    this.bytes = bytes;
    this.at = at;
    if (limit - at < IPV4_MIN) return MALFORMED;
    const version = ipVersion(bytes, at);
    if (version === 4) return this.readIpv4(limit, isQuoted);
    return version === 6 ? this.readIpv6(limit, isQuoted) : MALFORMED;
  }

  /** Reads ports and event. @returns READING.WHOLE, or MALFORMED if the header is cut off */
  readTransport(): number {
    const { bytes, transport, end, protocol } = this;
    const room = end - transport;
    if (protocol === TCP) {
      if (room < TCP_MIN) return MALFORMED;
      const flags = tcpFlags(bytes, transport);
      this.event = tcpEvent(flags);
      this.isOpening = (flags & SYN) !== 0;
    } else if (protocol === SCTP) {
      if (room < SCTP_MIN) return MALFORMED;
      this.event = sctpEvent(bytes, transport, end);
      this.isOpening = this.event === INIT;
    } else {
      if (room < UDP_MIN) return MALFORMED;
      this.event = 0;
      this.isOpening = false;
    }
    this.sport = srcPort(bytes, transport);
    this.dport = dstPort(bytes, transport);
    return WHOLE;
  }

  /** Reads the ports of a quoted packet, of which no more may be there. */
  readQuotedPorts(): number {
    if (this.end - this.transport < 4) return MALFORMED;
    this.sport = srcPort(this.bytes, this.transport);
    this.dport = dstPort(this.bytes, this.transport);
    return WHOLE;
  }

  /** Whether an SCTP packet may open an association: by its first chunk alone. @param sloppy any but ABORT may */
  firstChunkMayOpen(sloppy: boolean): boolean {
    const type = chunkType(this.bytes, this.transport + SCTP_HEADER_LEN);
    return type === SCTP_CHUNK.INIT || (sloppy && type !== SCTP_CHUNK.ABORT);
  }

  private readIpv4(limit: number, isQuoted: boolean): number {
    const { bytes, at } = this;
    const headerLength = ipv4HeaderLength(bytes, at);
    const total = ipv4TotalLength(bytes, at);
    const room = limit - at;
    if (headerLength < IPV4_MIN || total < headerLength || room < headerLength) return MALFORMED;
    if (total > room && !isQuoted) return MALFORMED;
    this.isV6 = false;
    this.lengthBytes = total;
    this.transport = at + headerLength;
    this.end = total > room ? limit : at + total;
    this.protocol = ipv4Protocol(bytes, at);
    if (this.src.family !== V4) this.becomeIpv4();
    this.src.words[0] = ipv4Src(bytes, at);
    this.dst.words[0] = ipv4Dst(bytes, at);
    return isIpv4Fragment(bytes, at) ? FRAGMENT : WHOLE;
  }

  /** Of an IPv4 address the words behind the first are 0. */
  private becomeIpv4(): void {
    for (const address of [this.src, this.dst]) {
      address.family = V4;
      address.words.fill(0);
    }
  }

  private readIpv6(limit: number, isQuoted: boolean): number {
    const { bytes, at } = this;
    if (limit - at < IPV6_HEADER_LEN) return MALFORMED;
    const total = IPV6_HEADER_LEN + ipv6PayloadLength(bytes, at);
    if (total > limit - at && !isQuoted) return MALFORMED;
    this.isV6 = true;
    this.lengthBytes = total;
    this.end = Math.min(at + total, limit);
    this.src.family = AF_INET6;
    this.dst.family = AF_INET6;
    for (let i = 0; i < 4; i++) {
      this.src.words[i] = ipv6SrcWord(bytes, at, i);
      this.dst.words[i] = ipv6DstWord(bytes, at, i);
    }
    return this.walkExtensions(ipv6NextHeader(bytes, at));
  }

  private walkExtensions(first: number): number {
    const { bytes, end } = this;
    let at = this.at + IPV6_HEADER_LEN;
    let protocol = first;
    let reading: number = WHOLE;
    while (isExtensionHeader(protocol)) {
      if (end - at < 8) return MALFORMED;
      if (isFragmentHeader(protocol)) {
        const field = u16(bytes, at + 2);
        if ((field & ~6) !== 0) reading = FRAGMENT;
        // What follows in a later fragment is payload.
        if ((field & LATER_FRAGMENT) !== 0) {
          protocol = bytes[at]!;
          at += 8;
          break;
        }
      }
      const length = extensionLength(bytes, at, protocol);
      protocol = bytes[at]!;
      at += length;
    }
    if (at > end) return MALFORMED;
    this.protocol = protocol;
    this.transport = at;
    return reading;
  }
}

/** The text of a UDP datagram's payload as Latin-1, which keeps every byte. */
export function udpPayloadText(view: PacketView): string {
  let text = '';
  for (let at = view.transport + UDP_HEADER_LEN; at < view.end; at++)
    text += String.fromCharCode(view.bytes[at]!);
  return text;
}

/** A flow of its own from a packet, for what keeps or compares it. @param inverted the packet comes from the server */
export function flowOf(view: PacketView, inverted: boolean, fwmark: number): Flow {
  const copy = ({ family, words: [a, b, c, d] }: ScratchAddress): Flow['caddr'] => ({
    family,
    words: [a, b, c, d],
  });
  const { protocol } = view;
  return inverted
    ? { protocol, caddr: copy(view.dst), cport: view.dport, vaddr: copy(view.src), vport: view.sport, fwmark }
    : {
        protocol,
        caddr: copy(view.src),
        cport: view.sport,
        vaddr: copy(view.dst),
        vport: view.dport,
        fwmark,
      };
}
