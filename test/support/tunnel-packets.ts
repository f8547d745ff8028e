import { setU16, setU32 } from '../../src/core/wire/bytes.ts';
import { checksumOf } from '../../src/core/wire/checksum.ts';

/** Tunnel headers by hand, as a director of another make would write them. */

export interface GreFields {
  readonly checksum?: boolean;
  readonly key?: number;
  readonly sequence?: number;
}

/** @returns GRE header and packet */
export function inGre(packet: Uint8Array, { checksum = false, key, sequence }: GreFields = {}): Uint8Array {
  const fields = [checksum ? 0 : undefined, key, sequence].filter((field) => field !== undefined);
  const b = new Uint8Array(4 + fields.length * 4 + packet.length);
  setU16(
    b,
    0,
    (checksum ? 0x8000 : 0) | (key === undefined ? 0 : 0x2000) | (sequence === undefined ? 0 : 0x1000),
  );
  setU16(b, 2, isIpv6(packet) ? 0x86dd : 0x0800);
  for (const [i, field] of fields.entries()) setU32(b, 4 + i * 4, field);
  b.set(packet, b.length - packet.length);
  if (checksum) setU16(b, 4, checksumOf(b, 0, b.length));
  return b;
}

export interface GueFields {
  /** Where the sum of the inner checksum starts and where it belongs, from the inner packet's start. */
  readonly remoteChecksum?: readonly [start: number, field: number];
  /** Further words of zeros. */
  readonly words?: number;
}

/** @returns GUE header of version 0 and packet */
export function inGue(packet: Uint8Array, { remoteChecksum, words = 0 }: GueFields = {}): Uint8Array {
  const options = (remoteChecksum ? 2 : 0) + words;
  const b = new Uint8Array(4 + options * 4 + packet.length);
  b[0] = options;
  b[1] = isIpv6(packet) ? 41 : 4;
  if (remoteChecksum) {
    setU16(b, 2, 1);
    setU32(b, 4, 0x80000000);
    setU16(b, 8, remoteChecksum[0]);
    setU16(b, 10, remoteChecksum[1]);
  }
  b.set(packet, b.length - packet.length);
  return b;
}

export const isIpv6 = (packet: Uint8Array): boolean => packet[0]! >>> 4 === 6;
