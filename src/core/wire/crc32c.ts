/** Castagnoli's polynomial, bits reversed (RFC 9260 appendix A). */
const POLYNOMIAL = 0x82f63b78;
const TABLE = makeTable();

/** @returns the CRC32c of `length` bytes, as an int32 */
export function crc32c(b: Uint8Array, at: number, length: number): number {
  let crc = -1;
  const end = at + length;
  for (let i = at; i < end; i++) crc = TABLE[(crc ^ b[i]!) & 255]! ^ (crc >>> 8);
  return ~crc;
}

function makeTable(): Int32Array {
  const table = new Int32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
    table[byte] = crc;
  }
  return table;
}
