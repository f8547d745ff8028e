import { i32, setU16, setU32, u16 } from './bytes.ts';

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

/** @returns the 16-bit sum, its carries added in; 0 only if `sum` is */
export function foldSum(sum: number): number {
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

/**
 * Puts another word in place of the one at `at`.
 * @param word int32
 * @returns what that adds to a sum over the word (RFC 1624: the complement of the old value, and the new one)
 */
export function exchangeWord(b: Uint8Array, at: number, word: number): number {
  const difference = differenceOf(i32(b, at), word);
  setU32(b, at, word);
  return difference;
}

/** Puts another u16 in place of the one at `at`. @returns what that adds to a sum over it */
export function exchangeU16(b: Uint8Array, at: number, value: number): number {
  const difference = (~u16(b, at) & 0xffff) + value;
  setU16(b, at, value);
  return difference;
}

/** Brings a checksum field up to date (RFC 1624, equation 3). @param difference what the sum over its bytes grew by */
export function adjustChecksum(b: Uint8Array, at: number, difference: number): void {
  setU16(b, at, ~foldSum((~u16(b, at) & 0xffff) + difference));
}

/** Brings an unfinished sum (a pseudo header's, not complemented) up to date. */
export function adjustSum(b: Uint8Array, at: number, difference: number): void {
  setU16(b, at, foldSum(u16(b, at) + difference));
}

const differenceOf = (old: number, next: number): number =>
  (~old >>> 16) + (~old & 0xffff) + (next >>> 16) + (next & 0xffff);
