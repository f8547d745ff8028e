import { emitIcmp, type IcmpHeader, parseIcmp } from './icmp.ts';

// RFC 4443: the header is ICMP's; types and the sum (over a pseudo header too) differ.
export const ICMPV6_TYPE = {
  DESTINATION_UNREACHABLE: 1,
  PACKET_TOO_BIG: 2,
  TIME_EXCEEDED: 3,
  PARAMETER_PROBLEM: 4,
  ECHO: 128,
  ECHO_REPLY: 129,
} as const;

/** Whether a message quotes a packet: all error messages have types below 128. */
export const isIcmpv6Error = (type: number): boolean => type < 128;

/** @returns `undefined` if the bytes at `at` cannot be an ICMPv6 message. */
export const parseIcmpv6 = (b: Uint8Array, at: number): IcmpHeader | undefined => parseIcmp(b, at);

export const emitIcmpv6 = (b: Uint8Array, at: number, h: IcmpHeader): void => emitIcmp(b, at, h);

export const formatIcmpv6 = (h: IcmpHeader): string => `icmp6 ${h.type}/${h.code}`;
