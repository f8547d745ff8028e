import { CaptureBytes, CaptureError, type PacketVisitor } from './file.ts';

// draft-ietf-opsawg-pcapng: blocks of type, length, body and length again, padded to 32 bits. Offsets from a block's start.
const BLOCK_LENGTH = 4;
const BODY = 8;
/** Type and both lengths. */
const BLOCK_OVERHEAD = 12;
const BLOCK = { SECTION: 0x0a0d0d0a, INTERFACE: 1, SIMPLE_PACKET: 3, ENHANCED_PACKET: 6 } as const;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const SECTION_MINIMUM = 28;
const SECTION_VERSION = 12;

const INTERFACE_MINIMUM = 20;
const INTERFACE_OPTIONS = 16;
const OPTION = { END: 0, RESOLUTION: 9, OFFSET: 14 } as const;
const OPTION_HEAD = 4;

const PACKET_MINIMUM = 32;
const PACKET_TIME = 12;
const PACKET_KEPT = 20;
const PACKET_DATA = 28;

/** An interface that says nothing counts microseconds. */
const MICROSECONDS = 6;
/** Set in a resolution that is a power of two. */
const BINARY = 0x80;
/** Finer than any clock; and a number of units in a second that a double holds. */
const FINEST_DECIMAL = 15;
const FINEST_BINARY = 50;

interface Interface {
  readonly link: number;
  readonly unitsPerSecond: bigint;
  readonly offsetSeconds: number;
}

/** The first bytes are alike in both byte orders. */
export const isPcapng = (bytes: Uint8Array): boolean =>
  bytes.length >= 4 && new CaptureBytes(bytes, false).u32(0) === BLOCK.SECTION;

/** Reads a pcapng file of any number of sections. @throws CaptureError */
export function readPcapng(bytes: Uint8Array, visit: PacketVisitor): void {
  let file = new CaptureBytes(bytes, true);
  let interfaces: Interface[] = [];
  for (let at = 0; at < file.length; ) {
    file.need(at, BLOCK_OVERHEAD, 'a block');
    if (file.u32(at) === BLOCK.SECTION) {
      file = sectionBytes(bytes, at);
      interfaces = [];
    }
    const length = blockLength(file, at);
    switch (file.u32(at)) {
      case BLOCK.INTERFACE:
        interfaces.push(readInterface(file, at, length));
        break;
      case BLOCK.SIMPLE_PACKET:
        throw new CaptureError(at, 'a simple packet block has no time, so that it cannot be replayed');
      case BLOCK.ENHANCED_PACKET:
        readPacket(file, at, length, interfaces, visit);
        break;
    }
    at += length;
  }
}

/** Every section has a byte order of its own. */
function sectionBytes(bytes: Uint8Array, at: number): CaptureBytes {
  for (const isLittle of [true, false]) {
    const file = new CaptureBytes(bytes, isLittle);
    if (file.u32(at + BODY) !== BYTE_ORDER_MAGIC) continue;
    file.need(at, SECTION_MINIMUM, "a section's header");
    if (file.u16(at + SECTION_VERSION) === 1) return file;
    throw new CaptureError(at + SECTION_VERSION, 'expected version 1 of pcapng');
  }
  throw new CaptureError(at + BODY, 'expected the byte order of a section');
}

function blockLength(file: CaptureBytes, at: number): number {
  const length = file.u32(at + BLOCK_LENGTH);
  if (length < BLOCK_OVERHEAD || length % 4 !== 0) {
    throw new CaptureError(at + BLOCK_LENGTH, `no block has ${length} bytes`);
  }
  file.need(at, length, 'a block');
  const again = file.u32(at + length - 4);
  if (again === length) return length;
  throw new CaptureError(at + length - 4, `expected the block's length ${length} again; found ${again}`);
}

function readInterface(file: CaptureBytes, at: number, length: number): Interface {
  if (length < INTERFACE_MINIMUM) throw new CaptureError(at, 'the description of an interface is too short');
  const link = file.u16(at + BODY);
  let unitsPerSecond = unitsOf(MICROSECONDS, at);
  let offsetSeconds = 0;
  const end = at + length - 4;
  for (let option = at + INTERFACE_OPTIONS; end - option >= OPTION_HEAD; ) {
    const code = file.u16(option);
    const size = file.u16(option + 2);
    const value = option + OPTION_HEAD;
    if (code === OPTION.END) break;
    if (value + size > end) throw new CaptureError(option, 'an option reaches beyond its block');
    if (code === OPTION.RESOLUTION && size === 1) unitsPerSecond = unitsOf(file.u8(value), value);
    if (code === OPTION.OFFSET && size === 8) offsetSeconds = Number(BigInt.asIntN(64, file.u64(value)));
    option = value + size + (-size & 3);
  }
  return { link, unitsPerSecond, offsetSeconds };
}

function unitsOf(resolution: number, at: number): bigint {
  const exponent = resolution & ~BINARY;
  const isBinary = (resolution & BINARY) !== 0;
  if (exponent <= (isBinary ? FINEST_BINARY : FINEST_DECIMAL))
    return (isBinary ? 2n : 10n) ** BigInt(exponent);
  throw new CaptureError(at, `no clock counts in units of ${isBinary ? 2 : 10}^-${exponent} s`);
}

function readPacket(
  file: CaptureBytes,
  at: number,
  length: number,
  interfaces: readonly Interface[],
  visit: PacketVisitor,
): void {
  if (length < PACKET_MINIMUM) throw new CaptureError(at, 'the block of a packet is too short');
  const from = interfaces[file.u32(at + BODY)];
  if (!from) throw new CaptureError(at + BODY, 'the packet is of an interface that was not described');
  const begin = at + PACKET_DATA;
  const kept = file.u32(at + PACKET_KEPT);
  if (kept > length - PACKET_MINIMUM)
    throw new CaptureError(at + PACKET_KEPT, 'the packet is longer than its block');
  const units = (BigInt(file.u32(at + PACKET_TIME)) << 32n) | BigInt(file.u32(at + PACKET_TIME + 4));
  const second = Number(units / from.unitsPerSecond) + from.offsetSeconds;
  const ms = (Number(units % from.unitsPerSecond) * 1000) / Number(from.unitsPerSecond);
  visit(second, ms, from.link, begin, begin + kept);
}
