import { CaptureBytes, CaptureError, type PacketVisitor } from './file.ts';

// draft-ietf-opsawg-pcap: a header of 24 bytes, then each packet with one of 16. Offsets in bytes.
const MAJOR_VERSION = 4;
const LINK_TYPE = 20;
const FILE_HEADER = 24;
const FRACTION = 4;
const KEPT_LENGTH = 8;
const PACKET_HEADER = 16;

const MICROSECONDS = 0xa1b2c3d4;
const NANOSECONDS = 0xa1b23c4d;
/** The upper bits of the link type tell of checksums at the end of frames. */
const LINK_MASK = 0x0fffffff;

const big = (bytes: Uint8Array): CaptureBytes => new CaptureBytes(bytes, false);
const little = (bytes: Uint8Array): CaptureBytes => new CaptureBytes(bytes, true);

export const isPcap = (bytes: Uint8Array): boolean =>
  bytes.length >= 4 &&
  [big(bytes).u32(0), little(bytes).u32(0)].some((word) => word === MICROSECONDS || word === NANOSECONDS);

/** Reads a classic capture file, of either byte order. @throws CaptureError */
export function readPcap(bytes: Uint8Array, visit: PacketVisitor): void {
  const magic = big(bytes).u32(0);
  const file = magic === MICROSECONDS || magic === NANOSECONDS ? big(bytes) : little(bytes);
  const perMs = file.u32(0) === NANOSECONDS ? 1e6 : 1e3;
  file.need(0, FILE_HEADER, 'the header');
  if (file.u16(MAJOR_VERSION) !== 2) throw new CaptureError(MAJOR_VERSION, 'expected version 2 of pcap');
  const link = file.u32(LINK_TYPE) & LINK_MASK;
  for (let at = FILE_HEADER; at < file.length; ) {
    file.need(at, PACKET_HEADER, "a packet's header");
    const kept = file.u32(at + KEPT_LENGTH);
    const begin = at + PACKET_HEADER;
    file.need(begin, kept, 'a packet');
    visit(file.u32(at), file.u32(at + FRACTION) / perMs, link, begin, begin + kept);
    at = begin + kept;
  }
}
