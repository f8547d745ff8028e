const MASK = (1n << 64n) - 1n;
const rotated = (word: bigint, by: bigint): bigint => ((word << by) | (word >> (64n - by))) & MASK;

/** SipHash-1-3 of a 32-bit word, written as the algorithm is told. @returns the low 32 bits */
export function slowHashWord(word: number, k0: bigint, k1: bigint): number {
  let v0 = 0x736f6d6570736575n ^ k0;
  let v1 = 0x646f72616e646f6dn ^ k1;
  let v2 = 0x6c7967656e657261n ^ k0;
  let v3 = 0x7465646279746573n ^ k1;
  const round = (): void => {
    v0 = (v0 + v1) & MASK;
    v1 = rotated(v1, 13n) ^ v0;
    v0 = rotated(v0, 32n);
    v2 = (v2 + v3) & MASK;
    v3 = rotated(v3, 16n) ^ v2;
    v0 = (v0 + v3) & MASK;
    v3 = rotated(v3, 21n) ^ v0;
    v2 = (v2 + v1) & MASK;
    v1 = rotated(v1, 17n) ^ v2;
    v2 = rotated(v2, 32n);
  };
  const block = (4n << 56n) | BigInt(word >>> 0);
  v3 ^= block;
  round();
  v0 ^= block;
  v2 ^= 0xffn;
  for (let i = 0; i < 3; i++) round();
  return Number((v0 ^ v1 ^ v2 ^ v3) & 0xffffffffn);
}
