import { u16 } from './bytes.ts';

/**
 * The sum of 16-bit words in ones' complement (RFC 1071), not yet folded; an odd last byte counts as its upper half.
 * @param start sum to go on from
 */
export function sumWords(b: Uint8Array, at: number, length: number, start = 0): number {
  let sum = start;
  const end = at + (length & ~1);
  for (let i = at; i < end; i += 2) sum += u16(b, i);
  if (length & 1) sum += b[end]! << 8;
  return sum;
}

/** @returns the 16-bit sum, its carries added in */
function foldSum(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000);
  return folded;
}

/** @returns what belongs into a checksum field over bytes in which that field is 0 */
export const checksumOf = (b: Uint8Array, at: number, length: number, start = 0): number =>
  ~foldSum(sumWords(b, at, length, start)) & 0xffff;

/** Whether bytes that hold their own checksum are intact. */
export const isIntact = (b: Uint8Array, at: number, length: number, start = 0): boolean =>
  foldSum(sumWords(b, at, length, start)) === 0xffff;
