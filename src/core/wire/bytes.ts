/** Big-endian fields of a packet, read and written without any object. Offsets in bytes. */

export const u16 = (b: Uint8Array, at: number): number => (b[at]! << 8) | b[at + 1]!;

/** @returns the 32-bit field as an int32 */
export const i32 = (b: Uint8Array, at: number): number =>
  (b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!;

export const u32 = (b: Uint8Array, at: number): number => i32(b, at) >>> 0;

export function setU16(b: Uint8Array, at: number, value: number): void {
  b[at] = value >>> 8;
  b[at + 1] = value;
}

/** @param value an int32 or a u32 */
export function setU32(b: Uint8Array, at: number, value: number): void {
  b[at] = value >>> 24;
  b[at + 1] = value >>> 16;
  b[at + 2] = value >>> 8;
  b[at + 3] = value;
}
