import { setU16, setU32, u16, u32 } from './bytes.ts';
import { crc32c } from './crc32c.ts';

// RFC 9260. Offsets in bytes from the start of the common header, and of a chunk; all fields big-endian.
const SRC_PORT = 0;
const DST_PORT = 2;
const TAG = 4;
const CHECKSUM = 8;
/** Length in bytes of the common header. */
export const SCTP_HEADER_LEN = 12;
const CHUNK_TYPE = 0;
const CHUNK_FLAGS = 1;
const CHUNK_LENGTH = 2;
export const SCTP_CHUNK_LEN = 4;

export const SCTP_CHUNK = {
  DATA: 0,
  INIT: 1,
  INIT_ACK: 2,
  SACK: 3,
  HEARTBEAT: 4,
  HEARTBEAT_ACK: 5,
  ABORT: 6,
  SHUTDOWN: 7,
  SHUTDOWN_ACK: 8,
  ERROR: 9,
  COOKIE_ECHO: 10,
  COOKIE_ACK: 11,
  ECNE: 12,
  CWR: 13,
  SHUTDOWN_COMPLETE: 14,
} as const;

export interface SctpHeader {
  readonly srcPort: number;
  readonly dstPort: number;
  readonly tag: number;
  /** CRC32c as it stands in the packet. */
  readonly checksum: number;
  /** Of the first chunk. */
  readonly chunkType: number;
  readonly chunkFlags: number;
  /** Bytes, its four-byte head included. */
  readonly chunkLength: number;
}

export const chunkType = (b: Uint8Array, at: number): number => b[at + CHUNK_TYPE]!;
export const chunkLength = (b: Uint8Array, at: number): number => u16(b, at + CHUNK_LENGTH);

/** Writes the right CRC32c over header and chunks (RFC 9260 appendix A: the register's bytes, lowest first). */
export function sealSctp(b: Uint8Array, at: number, length: number): void {
  setU32(b, at + CHECKSUM, 0);
  const crc = crc32c(b, at, length);
  for (let i = 0; i < 4; i++) b[at + CHECKSUM + i] = crc >>> (8 * i);
}

/** @returns `undefined` if the bytes at `at` cannot be a common header and a first chunk. */
export function parseSctp(b: Uint8Array, at: number): SctpHeader | undefined {
  const chunk = at + SCTP_HEADER_LEN;
  if (b.length - chunk < SCTP_CHUNK_LEN || chunkLength(b, chunk) < SCTP_CHUNK_LEN) return undefined;
  return {
    srcPort: u16(b, at + SRC_PORT),
    dstPort: u16(b, at + DST_PORT),
    tag: u32(b, at + TAG),
    checksum: u32(b, at + CHECKSUM),
    chunkType: chunkType(b, chunk),
    chunkFlags: b[chunk + CHUNK_FLAGS]!,
    chunkLength: chunkLength(b, chunk),
  };
}

export function emitSctp(b: Uint8Array, at: number, h: SctpHeader): void {
  const chunk = at + SCTP_HEADER_LEN;
  setU16(b, at + SRC_PORT, h.srcPort);
  setU16(b, at + DST_PORT, h.dstPort);
  setU32(b, at + TAG, h.tag);
  setU32(b, at + CHECKSUM, h.checksum);
  b[chunk + CHUNK_TYPE] = h.chunkType;
  b[chunk + CHUNK_FLAGS] = h.chunkFlags;
  setU16(b, chunk + CHUNK_LENGTH, h.chunkLength);
}

export function formatSctp(h: SctpHeader): string {
  const name = Object.entries(SCTP_CHUNK).find(([, type]) => type === h.chunkType)?.[0];
  return `sctp ${h.srcPort} > ${h.dstPort} ${name ?? `chunk ${h.chunkType}`}`;
}
