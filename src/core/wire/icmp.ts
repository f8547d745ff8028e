import { setU16, setU32, u16, u32 } from './bytes.ts';

// RFC 792. Offsets in bytes from the start of the message; all fields big-endian.
const TYPE = 0;
const CODE = 1;
const CHECKSUM = 2;
const REST = 4;
/** Bytes before the quoted packet of an error. */
export const ICMP_HEADER_LEN = 8;

export const ICMP_TYPE = {
  ECHO_REPLY: 0,
  DESTINATION_UNREACHABLE: 3,
  SOURCE_QUENCH: 4,
  REDIRECT: 5,
  ECHO: 8,
  TIME_EXCEEDED: 11,
  PARAMETER_PROBLEM: 12,
} as const;

export interface IcmpHeader {
  readonly type: number;
  readonly code: number;
  readonly checksum: number;
  /** The four bytes whose meaning the type gives: identifier and sequence, or the next hop's MTU. */
  readonly rest: number;
}

export const icmpType = (b: Uint8Array, at: number): number => b[at + TYPE]!;

export const icmpCode = (b: Uint8Array, at: number): number => b[at + CODE]!;
/** The four bytes behind the checksum. @returns a u32 */
export const icmpRest = (b: Uint8Array, at: number): number => u32(b, at + REST);
export const setIcmpChecksum = (b: Uint8Array, at: number, checksum: number): void =>
  setU16(b, at + CHECKSUM, checksum);

/** Whether an ICMP message may be about a connection: errors that quote a packet, as far as IPVS looks at them. */
export const isIcmpError = (type: number): boolean =>
  type === ICMP_TYPE.DESTINATION_UNREACHABLE ||
  type === ICMP_TYPE.SOURCE_QUENCH ||
  type === ICMP_TYPE.TIME_EXCEEDED;

/** @returns `undefined` if the bytes at `at` cannot be an ICMP message. */
export function parseIcmp(b: Uint8Array, at: number): IcmpHeader | undefined {
  if (b.length - at < ICMP_HEADER_LEN) return undefined;
  return {
    type: icmpType(b, at),
    code: icmpCode(b, at),
    checksum: u16(b, at + CHECKSUM),
    rest: icmpRest(b, at),
  };
}

export function emitIcmp(b: Uint8Array, at: number, h: IcmpHeader): void {
  b[at + TYPE] = h.type;
  b[at + CODE] = h.code;
  setU16(b, at + CHECKSUM, h.checksum);
  setU32(b, at + REST, h.rest);
}

export const formatIcmp = (h: IcmpHeader): string => `icmp ${h.type}/${h.code}`;
