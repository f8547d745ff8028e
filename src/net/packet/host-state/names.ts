import { AF_INET, AF_INET6 } from '../../../core/address.ts';

/** The tables of nft, one per family. */
export const NFT_TABLE = 'uipvs';

/** Takes captured packets, except those of firewall marks. */
export const MAIN_DEVICE = 'uipvs0';

/** All devices of a director, as nft matches them. */
export const DEVICE_PATTERN = 'uipvs*';

/** Begins the names of all devices of a director. */
export const DEVICE_PREFIX = 'uipvs';

/**
 * Marks and routing tables of the director are this number plus a slot of 16 bits. Slot 0 is the main device's. A packet
 * carries such a mark only between the capturing rule and the device.
 */
export const MARK_BASE = 0x75690000;
const MARK_MASK = 0xffff0000;

/** Slots of devices are below. */
export const DEVICE_SLOTS = 0x7ff0;

/** Set in the marks of packets that come out of a device, where the host checks reverse paths strictly. */
export const RETURN_BIT = 0x8000;

/** SO_MARK of packets that the director itself sends to servers: they are never captured. */
export const BYPASS_MARK = MARK_BASE + 0xffff;

/** Address of every device: one without any fails reverse-path checks. Scope link: never chosen as a source. */
export const DEVICE_ADDRESS = '169.254.117.105';

/** Addresses that a device seems to lead to. */
export const DEVICE_GATEWAY = { [AF_INET]: '169.254.117.106', [AF_INET6]: 'fe80::7569' } as const;

/** The network of that gateway, routed to each device. */
export const LINK_LOCAL_IPV6 = 'fe80::/64';

/** Where the kernel's rule of the local table stands, and the director's rules before it. */
export const LOCAL_RULE_PREF = 0;

/** Where a second rule of the local table stands while the first is put behind the director's. */
export const SPARE_RULE_PREF = 1;

/** Device names have at most 15 characters. */
const LONGEST_NAME = 15;

/** Names the device of a firewall mark: `uipvs-fw5`; long marks in hexadecimal: `uipvs-fffffffff`. */
export function fwmarkDevice(fwmark: number): string {
  const name = `${DEVICE_PREFIX}-fw${fwmark >>> 0}`;
  return name.length <= LONGEST_NAME ? name : `${DEVICE_PREFIX}-f${(fwmark >>> 0).toString(16)}`;
}

/** @returns whether a mark or table number is one of the director's. */
export const isOurNumber = (number: number): boolean => (number & MARK_MASK) >>> 0 === MARK_BASE;
