/**
 * Blocks of a pcapng file (draft-ietf-opsawg-pcapng), written in the byte order of this host, little-endian. Each starts
 * with its type and its length, which is there again at its end; all parts are padded to 32 bits.
 */
const SECTION = 0x0a0d0d0a;
const INTERFACE = 1;
const ENHANCED_PACKET = 6;

const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const MAJOR_VERSION = 1;
/** A section of unknown length. */
const UNKNOWN = 0xffffffff;
/** Packets start with their IP header, version 4 or 6 (LINKTYPE_RAW). */
const LINKTYPE_RAW = 101;
/** Timestamps count 10^-9 s. */
const NANOSECONDS = 9;

/** Numbers of options; some belong to one kind of block. */
const OPTION = {
  END: 0,
  COMMENT: 1,
  PACKET_FLAGS: 2,
  INTERFACE_NAME: 2,
  INTERFACE_DESCRIPTION: 3,
  SECTION_APPLICATION: 4,
  TIMESTAMP_RESOLUTION: 9,
} as const;

const BLOCK_HEAD = 8;
const BLOCK_TAIL = 4;
const PACKET_HEAD = 20;
const OPTION_HEAD = 4;

/** Most bytes of a packet's comment; what is longer is cut off between characters. */
export const COMMENT_LIMIT = 1024;
/** Most bytes of a packet that are kept. */
export const SNAP_LENGTH = 0x20000;
/** No packet's block is longer, in bytes. */
export const PACKET_BLOCK_LIMIT = BLOCK_HEAD + PACKET_HEAD + SNAP_LENGTH + COMMENT_LIMIT + 64;
/** The first bytes of every pcapng file; alike in both byte orders. */
export const PCAPNG_MAGIC: readonly number[] = [0x0a, 0x0d, 0x0d, 0x0a];

/** Which way a packet went, as the two lowest bits of a packet's flags tell it. */
export const PACKET_DIRECTION = { INBOUND: 1, OUTBOUND: 2 } as const;

export interface CapturedPacket {
  readonly bytes: Uint8Array;
  /** Where its IP header starts. */
  readonly at: number;
  /** Bytes from there. */
  readonly length: number;
  /** Number of the interface: the first one described has 0. */
  readonly interfaceId: number;
  /** One of PACKET_DIRECTION. */
  readonly direction: number;
  /** For people, '' for none. */
  readonly comment: string;
  /** Nanoseconds since 1970. */
  readonly timestampNs: bigint;
}

const encoder = new TextEncoder();

/** Writes the block that starts a file. @returns where the next block starts */
export function emitSection(b: Uint8Array, at: number, application: string): number {
  set32(b, at, SECTION);
  set32(b, at + 8, BYTE_ORDER_MAGIC);
  set16(b, at + 12, MAJOR_VERSION);
  set16(b, at + 14, 0);
  set32(b, at + 16, UNKNOWN);
  set32(b, at + 20, UNKNOWN);
  return seal(b, at, emitText(b, at + 24, OPTION.SECTION_APPLICATION, application));
}

/** Describes an interface whose packets are IP packets. @returns where the next block starts */
export function emitInterface(b: Uint8Array, at: number, name: string, description: string): number {
  set32(b, at, INTERFACE);
  set16(b, at + 8, LINKTYPE_RAW);
  set16(b, at + 10, 0);
  set32(b, at + 12, SNAP_LENGTH);
  let end = emitText(b, at + 16, OPTION.INTERFACE_NAME, name);
  end = emitText(b, end, OPTION.INTERFACE_DESCRIPTION, description);
  set16(b, end, OPTION.TIMESTAMP_RESOLUTION);
  set16(b, end + 2, 1);
  set32(b, end + OPTION_HEAD, NANOSECONDS);
  return seal(b, at, end + OPTION_HEAD + 4);
}

/**
 * Writes a packet; there must be PACKET_BLOCK_LIMIT bytes from `at`.
 * @returns where the next block starts
 */
export function emitPacket(b: Uint8Array, at: number, packet: CapturedPacket): number {
  const { timestampNs } = packet;
  const kept = Math.min(packet.length, SNAP_LENGTH);
  set32(b, at, ENHANCED_PACKET);
  set32(b, at + 8, packet.interfaceId);
  set32(b, at + 12, Number((timestampNs >> 32n) & 0xffffffffn));
  set32(b, at + 16, Number(timestampNs & 0xffffffffn));
  set32(b, at + 20, kept);
  set32(b, at + 24, packet.length);
  const data = at + BLOCK_HEAD + PACKET_HEAD;
  b.set(packet.bytes.subarray(packet.at, packet.at + kept), data);
  let end = pad(b, data + kept, kept);
  if (packet.comment !== '') end = emitText(b, end, OPTION.COMMENT, packet.comment);
  set16(b, end, OPTION.PACKET_FLAGS);
  set16(b, end + 2, 4);
  set32(b, end + OPTION_HEAD, packet.direction);
  return seal(b, at, end + OPTION_HEAD + 4);
}

/** Writes an option of text. @returns where the next option starts */
function emitText(b: Uint8Array, at: number, option: number, text: string): number {
  const from = at + OPTION_HEAD;
  const { written } = encoder.encodeInto(text, b.subarray(from, from + COMMENT_LIMIT));
  set16(b, at, option);
  set16(b, at + 2, written);
  return pad(b, from + written, written);
}

/** Ends the options and the block. */
function seal(b: Uint8Array, start: number, options: number): number {
  set16(b, options, OPTION.END);
  set16(b, options + 2, 0);
  const end = options + OPTION_HEAD + BLOCK_TAIL;
  set32(b, start + 4, end - start);
  set32(b, end - BLOCK_TAIL, end - start);
  return end;
}

/** Fills a part of `length` bytes, which ends at `end`, up to 32 bits. */
function pad(b: Uint8Array, end: number, length: number): number {
  const padded = end + (-length & 3);
  b.fill(0, end, padded);
  return padded;
}

function set16(b: Uint8Array, at: number, value: number): void {
  b[at] = value;
  b[at + 1] = value >>> 8;
}

function set32(b: Uint8Array, at: number, value: number): void {
  b[at] = value;
  b[at + 1] = value >>> 8;
  b[at + 2] = value >>> 16;
  b[at + 3] = value >>> 24;
}
