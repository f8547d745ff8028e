/** A SipHash key of two 64-bit words, as int32 halves. */
export interface SipKey {
  readonly k0Low: number;
  readonly k0High: number;
  readonly k1Low: number;
  readonly k1High: number;
}

/** Length of the message in the top byte of its only block. */
const FOUR_BYTES = 4 << 24;

/**
 * SipHash-1-3 of the four bytes of `word`, least significant first, cut to 32 bits: the kernel's hsiphash_1u32 on
 * 64-bit machines. The 64-bit words are pairs of int32 halves, `a` to `d` for v0 to v3.
 * @returns int32
 */
export function hashWord(word: number, key: SipKey): number {
  let aLow = key.k0Low ^ 0x70736575;
  let aHigh = key.k0High ^ 0x736f6d65;
  let bLow = key.k1Low ^ 0x6e646f6d;
  let bHigh = key.k1High ^ 0x646f7261;
  let cLow = key.k0Low ^ 0x6e657261;
  let cHigh = key.k0High ^ 0x6c796765;
  let dLow = key.k1Low ^ 0x79746573 ^ word;
  let dHigh = key.k1High ^ 0x74656462 ^ FOUR_BYTES;
  let low = 0;
  let high = 0;
  for (let round = 0; round < 4; round++) {
    low = (aLow + bLow) | 0;
    aHigh = (aHigh + bHigh + carry(low, bLow)) | 0;
    aLow = low;
    low = (bLow << 13) | (bHigh >>> 19);
    bHigh = ((bHigh << 13) | (bLow >>> 19)) ^ aHigh;
    bLow = low ^ aLow;
    high = aLow;
    aLow = aHigh;
    aHigh = high;

    low = (cLow + dLow) | 0;
    cHigh = (cHigh + dHigh + carry(low, dLow)) | 0;
    cLow = low;
    low = (dLow << 16) | (dHigh >>> 16);
    dHigh = ((dHigh << 16) | (dLow >>> 16)) ^ cHigh;
    dLow = low ^ cLow;

    low = (aLow + dLow) | 0;
    aHigh = (aHigh + dHigh + carry(low, dLow)) | 0;
    aLow = low;
    low = (dLow << 21) | (dHigh >>> 11);
    dHigh = ((dHigh << 21) | (dLow >>> 11)) ^ aHigh;
    dLow = low ^ aLow;

    low = (cLow + bLow) | 0;
    cHigh = (cHigh + bHigh + carry(low, bLow)) | 0;
    cLow = low;
    low = (bLow << 17) | (bHigh >>> 15);
    bHigh = ((bHigh << 17) | (bLow >>> 15)) ^ cHigh;
    bLow = low ^ cLow;
    high = cLow;
    cLow = cHigh;
    cHigh = high;

    if (round === 0) {
      aLow ^= word;
      aHigh ^= FOUR_BYTES;
      cLow ^= 0xff;
    }
  }
  return aLow ^ bLow ^ cLow ^ dLow;
}

/** What the lower halves' sum carries over; `sum` is it in 32 bits, `addend` one of the two. */
const carry = (sum: number, addend: number): number => (sum >>> 0 < addend >>> 0 ? 1 : 0);
