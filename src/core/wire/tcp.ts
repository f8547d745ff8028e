import { setU16, setU32, u16, u32 } from './bytes.ts';

// RFC 9293. Offsets in bytes from the start of the header; all fields big-endian.
const SRC_PORT = 0;
const DST_PORT = 2;
const SEQUENCE = 4;
const ACKNOWLEDGEMENT = 8;
const DATA_OFFSET = 12;
const FLAGS = 13;
const WINDOW = 14;
/** Where the checksum is. */
export const TCP_CHECKSUM = 16;
const URGENT = 18;
/** Length in bytes of a header without options. */
export const TCP_HEADER_LEN = 20;

export const TCP_FLAG = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16, URG: 32 } as const;

export interface TcpHeader {
  readonly srcPort: number;
  readonly dstPort: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  /** 20 to 60 bytes, options included. */
  readonly headerLength: number;
  /** Bits of TCP_FLAG. */
  readonly flags: number;
  readonly window: number;
  readonly checksum: number;
  readonly urgent: number;
}

export const tcpFlags = (b: Uint8Array, at: number): number => b[at + FLAGS]!;
/** 20 to 60 bytes if the header is sound. */
export const tcpHeaderLength = (b: Uint8Array, at: number): number => (b[at + DATA_OFFSET]! >>> 4) * 4;

export const tcpSequence = (b: Uint8Array, at: number): number => u32(b, at + SEQUENCE);

/** Writes sequence number and flags; the checksum is left as it is. */
export function setTcpPiece(b: Uint8Array, at: number, sequence: number, flags: number): void {
  setU32(b, at + SEQUENCE, sequence);
  b[at + FLAGS] = flags;
}

/** @returns `undefined` if the bytes at `at` cannot be a TCP header. */
export function parseTcp(b: Uint8Array, at: number): TcpHeader | undefined {
  if (b.length - at < TCP_HEADER_LEN) return undefined;
  const headerLength = tcpHeaderLength(b, at);
  if (headerLength < TCP_HEADER_LEN || b.length - at < headerLength) return undefined;
  return {
    srcPort: u16(b, at + SRC_PORT),
    dstPort: u16(b, at + DST_PORT),
    sequence: u32(b, at + SEQUENCE),
    acknowledgement: u32(b, at + ACKNOWLEDGEMENT),
    headerLength,
    flags: tcpFlags(b, at),
    window: u16(b, at + WINDOW),
    checksum: u16(b, at + TCP_CHECKSUM),
    urgent: u16(b, at + URGENT),
  };
}

/** Writes the header; the bytes of its options are left as they are. */
export function emitTcp(b: Uint8Array, at: number, h: TcpHeader): void {
  setU16(b, at + SRC_PORT, h.srcPort);
  setU16(b, at + DST_PORT, h.dstPort);
  setU32(b, at + SEQUENCE, h.sequence);
  setU32(b, at + ACKNOWLEDGEMENT, h.acknowledgement);
  b[at + DATA_OFFSET] = (h.headerLength / 4) << 4;
  b[at + FLAGS] = h.flags;
  setU16(b, at + WINDOW, h.window);
  setU16(b, at + TCP_CHECKSUM, h.checksum);
  setU16(b, at + URGENT, h.urgent);
}

export function formatTcp(h: TcpHeader): string {
  const names = Object.entries(TCP_FLAG).flatMap(([name, bit]) => ((h.flags & bit) !== 0 ? [name] : []));
  return `tcp ${h.srcPort} > ${h.dstPort} ${names.join('+') || 'none'} seq ${h.sequence} ack ${h.acknowledgement}`;
}
