import { type Address, AF_INET } from './address.ts';

/** Whether an address may be a single host's, as far as the address alone tells. */
export const isUnicast = (address: Address): boolean =>
  address.family === AF_INET ? isUnicast4(address.words[0]) : isUnicast6(address.words);

/** Neither 0.0.0.0, nor 224.0.0.0/4, nor 255.255.255.255. */
const isUnicast4 = (word: number): boolean => word !== 0 && word >>> 28 !== 14 && word !== -1;

/** Neither ::, nor v4-mapped, nor multicast, nor link-local. */
function isUnicast6([a, b, c, d]: Address['words']): boolean {
  if (a === 0 && b === 0 && c === 0 && d === 0) return false;
  if (a === 0 && b === 0 && c === 0xffff) return false;
  return a >>> 24 !== 0xff && a >>> 22 !== 0x3fa;
}
