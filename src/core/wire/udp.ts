import { setU16, u16 } from './bytes.ts';

// RFC 768. Offsets in bytes from the start of the header; all fields big-endian.
const SRC_PORT = 0;
const DST_PORT = 2;
/** Where the length is. */
export const UDP_LENGTH = 4;
/** Where the checksum is. */
export const UDP_CHECKSUM = 6;
export const UDP_HEADER_LEN = 8;

export interface UdpHeader {
  readonly srcPort: number;
  readonly dstPort: number;
  /** Bytes of header and payload. */
  readonly length: number;
  /** 0: none. */
  readonly checksum: number;
}

/** Where a TCP, UDP or SCTP header has its ports: they begin alike. */
export const PORT_AT = { SOURCE: SRC_PORT, DESTINATION: DST_PORT } as const;

/** Source port of a TCP, UDP or SCTP header: they begin alike. */
export const srcPort = (b: Uint8Array, at: number): number => u16(b, at + SRC_PORT);
/** Destination port of a TCP, UDP or SCTP header. */
export const dstPort = (b: Uint8Array, at: number): number => u16(b, at + DST_PORT);

export const setUdpLength = (b: Uint8Array, at: number, lengthBytes: number): void =>
  setU16(b, at + UDP_LENGTH, lengthBytes);

/** @returns `undefined` if the bytes at `at` cannot be a UDP header. */
export function parseUdp(b: Uint8Array, at: number): UdpHeader | undefined {
  if (b.length - at < UDP_HEADER_LEN) return undefined;
  const length = u16(b, at + UDP_LENGTH);
  if (length < UDP_HEADER_LEN) return undefined;
  return { srcPort: srcPort(b, at), dstPort: dstPort(b, at), length, checksum: u16(b, at + UDP_CHECKSUM) };
}

export function emitUdp(b: Uint8Array, at: number, h: UdpHeader): void {
  setU16(b, at + SRC_PORT, h.srcPort);
  setU16(b, at + DST_PORT, h.dstPort);
  setU16(b, at + UDP_LENGTH, h.length);
  setU16(b, at + UDP_CHECKSUM, h.checksum);
}

/** Writes a header from plain values. */
export function writeUdp(
  b: Uint8Array,
  at: number,
  sport: number,
  dport: number,
  lengthBytes: number,
  checksum: number,
): void {
  setU16(b, at + SRC_PORT, sport);
  setU16(b, at + DST_PORT, dport);
  setU16(b, at + UDP_LENGTH, lengthBytes);
  setU16(b, at + UDP_CHECKSUM, checksum);
}

export const formatUdp = (h: UdpHeader): string => `udp ${h.srcPort} > ${h.dstPort} length ${h.length}`;
