import { u16 } from '../../core/wire/bytes.ts';

/** Numbers of link types (https://www.tcpdump.org/linktypes.html). */
const LINK = {
  NULL: 0,
  ETHERNET: 1,
  RAW_BSD: 12,
  RAW_OPENBSD: 14,
  RAW: 101,
  LOOP: 108,
  COOKED: 113,
  IPV4: 228,
  IPV6: 229,
  COOKED_2: 276,
} as const;

const FAMILY_LENGTH = 4;
const COOKED_LENGTH = 16;
const COOKED_2_LENGTH = 20;
const ETHERNET_LENGTH = 14;
const VLAN_LENGTH = 4;
const VLAN_TYPES: ReadonlySet<number> = new Set([0x8100, 0x88a8]);
const IP_TYPES: ReadonlySet<number> = new Set([0x0800, 0x86dd]);

/** What `ipOffset` answers instead of an offset. */
export const UNKNOWN_LINK = -2;
const NO_IP = -1;

/** @returns where the IP packet starts in the frame from `at` to `end`; -1 if it has none, or UNKNOWN_LINK */
export function ipOffset(bytes: Uint8Array, link: number, at: number, end: number): number {
  switch (link) {
    case LINK.RAW:
    case LINK.RAW_BSD:
    case LINK.RAW_OPENBSD:
    case LINK.IPV4:
    case LINK.IPV6:
      return at;
    case LINK.NULL:
    case LINK.LOOP:
      // Families differ between systems; the version in the IP header tells enough.
      return within(at + FAMILY_LENGTH, end);
    case LINK.ETHERNET:
      return behindType(bytes, at + ETHERNET_LENGTH - 2, at + ETHERNET_LENGTH, end);
    case LINK.COOKED:
      return behindType(bytes, at + COOKED_LENGTH - 2, at + COOKED_LENGTH, end);
    case LINK.COOKED_2:
      return behindType(bytes, at, at + COOKED_2_LENGTH, end);
    default:
      return UNKNOWN_LINK;
  }
}

const within = (at: number, end: number): number => (at <= end ? at : NO_IP);

/** @param typeAt where the protocol's number stands @param at what it is the number of */
function behindType(bytes: Uint8Array, typeAt: number, at: number, end: number): number {
  let type = typeAt;
  let start = at;
  while (start <= end && VLAN_TYPES.has(u16(bytes, type))) {
    type = start + 2;
    start += VLAN_LENGTH;
  }
  return start <= end && IP_TYPES.has(u16(bytes, type)) ? start : NO_IP;
}
