import { setU16 } from '../core/wire/bytes.ts';
import { foldSum } from '../core/wire/checksum.ts';
import { bulkSum } from './bulk-sum.ts';
import {
  clearVnetChecksum,
  vnetChecksumOffset,
  vnetChecksumStart,
  vnetNeedsChecksum,
} from './vnet-header.ts';

/**
 * Finishes the checksum of a packet whose vnet header says that it is unfinished, and takes that note off.
 * @param at where the IP header starts, the vnet header before it
 * @param length bytes of the packet
 * @returns false if the vnet header points out of the packet; it is left as it was then
 */
export function completeChecksum(b: Uint8Array, at: number, length: number): boolean {
  if (!vnetNeedsChecksum(b, at)) return true;
  const start = vnetChecksumStart(b, at);
  const field = start + vnetChecksumOffset(b, at);
  if (field + 2 > length) return false;
  finishSum(b, at + start, at + field, at + length);
  clearVnetChecksum(b, at);
  return true;
}

/**
 * Makes a checksum of the pseudo header's sum in `field`.
 * 0 becomes 0xffff, the same value in another form: for UDP 0 would mean that there is none (RFC 768).
 * @param start where the sum starts
 * @param end where it ends
 */
export function finishSum(b: Uint8Array, start: number, field: number, end: number): void {
  setU16(b, field, ~foldSum(bulkSum(b, start, end - start)) & 0xffff || 0xffff);
}
