/**
 * The virtio_net_hdr that a TUN device puts before a packet (VIRTIO 1.2 section 5.1.6, without the number of buffers).
 * Fields are in the host's order, little-endian on every host of ours. `at` is where the IP header starts: the header
 * lies before it, and its offsets count from there.
 */
export const VNET_HEADER_LEN = 10;

const FLAGS = -10;
const GSO_TYPE = -9;
const HEADER_LENGTH = -8;
const GSO_SIZE = -6;
const CHECKSUM_START = -4;
const CHECKSUM_OFFSET = -2;

const NEEDS_CSUM = 1;
const DATA_VALID = 2;

/** What kind of super-packet it is; ECN may be added to a TCP one. */
export const VNET_GSO = { NONE: 0, TCPV4: 1, TCPV6: 4, UDP_L4: 5, ECN: 0x80 } as const;

const little = (b: Uint8Array, at: number): number => b[at]! | (b[at + 1]! << 8);

function setLittle(b: Uint8Array, at: number, value: number): void {
  b[at] = value;
  b[at + 1] = value >>> 8;
}

/** Whether the transport checksum is unfinished: its field holds the pseudo header's sum, not complemented. */
export const vnetNeedsChecksum = (b: Uint8Array, at: number): boolean => (b[at + FLAGS]! & NEEDS_CSUM) !== 0;

/** Whether the transport checksum was found right, by the kernel or the network card. */
export const vnetVouchesChecksum = (b: Uint8Array, at: number): boolean =>
  (b[at + FLAGS]! & DATA_VALID) !== 0;

/** @returns one of VNET_GSO without ECN, or a number that is none of them */
export const vnetGsoType = (b: Uint8Array, at: number): number => b[at + GSO_TYPE]! & ~VNET_GSO.ECN;

/** Bytes of payload in each packet that a super-packet stands for. */
export const vnetGsoSize = (b: Uint8Array, at: number): number => little(b, at + GSO_SIZE);

/** Where the sum of an unfinished checksum begins, in bytes from the IP header. */
export const vnetChecksumStart = (b: Uint8Array, at: number): number => little(b, at + CHECKSUM_START);

/** Where that checksum belongs, in bytes from the start of its sum. */
export const vnetChecksumOffset = (b: Uint8Array, at: number): number => little(b, at + CHECKSUM_OFFSET);

/** Says: a finished packet, no super-packet. */
export function clearVnetHeader(b: Uint8Array, at: number): void {
  b.fill(0, at - VNET_HEADER_LEN, at);
}

/** Says that the checksum is finished; a super-packet stays one. */
export function clearVnetChecksum(b: Uint8Array, at: number): void {
  b[at + FLAGS]! &= ~NEEDS_CSUM;
  setLittle(b, at + CHECKSUM_START, 0);
  setLittle(b, at + CHECKSUM_OFFSET, 0);
}

/** All fields of the header. */
export interface VnetHeader {
  readonly needsChecksum: boolean;
  /** VNET_GSO, ECN included. */
  readonly gsoType: number;
  /** Bytes of the headers before the payload of a super-packet; a hint only. */
  readonly headerLength: number;
  readonly gsoSize: number;
  readonly checksumStart: number;
  readonly checksumOffset: number;
}

/** Writes the header before the packet at `at`. */
export function emitVnetHeader(b: Uint8Array, at: number, h: VnetHeader): void {
  b[at + FLAGS] = h.needsChecksum ? NEEDS_CSUM : 0;
  b[at + GSO_TYPE] = h.gsoType;
  setLittle(b, at + HEADER_LENGTH, h.headerLength);
  setLittle(b, at + GSO_SIZE, h.gsoSize);
  setLittle(b, at + CHECKSUM_START, h.checksumStart);
  setLittle(b, at + CHECKSUM_OFFSET, h.checksumOffset);
}
