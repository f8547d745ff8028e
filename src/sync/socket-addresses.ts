import { type Address, AF_INET, addressBytes } from '../core/address.ts';

/**
 * Structures of the socket calls (uapi linux/in.h, linux/in6.h, linux/if.h), written at the start of `b`, which is
 * zeroed. Offsets in bytes; numbers are as the processor has them but for ports and addresses.
 *
 * Each returns the structure's length.
 */

const IFNAME_LEN = 16;
const IFREQ_LEN = 40;
const IFREQ_VALUE = 16;
const SOCKADDR_IN_LEN = 16;
const SOCKADDR_IN6_LEN = 28;
const MREQN_LEN = 12;
const IPV6_MREQ_LEN = 20;

/** sockaddr_in or sockaddr_in6. @param scope index of the interface of an IPv6 address, 0 for none */
export function emitSocketAddress(b: Buffer, address: Address, port: number, scope: number): number {
  const isV4 = address.family === AF_INET;
  const length = isV4 ? SOCKADDR_IN_LEN : SOCKADDR_IN6_LEN;
  b.fill(0, 0, length);
  b.writeUInt16LE(address.family, 0);
  b.writeUInt16BE(port, 2);
  b.set(addressBytes(address), isV4 ? 4 : 8);
  if (!isV4) b.writeUInt32LE(scope, 24);
  return length;
}

/** ip_mreqn or ipv6_mreq: a group on an interface. */
export function emitMembership(b: Buffer, group: Address, interfaceIndex: number): number {
  const isV4 = group.family === AF_INET;
  const length = isV4 ? MREQN_LEN : IPV6_MREQ_LEN;
  b.fill(0, 0, length).set(addressBytes(group), 0);
  b.writeInt32LE(interfaceIndex, isV4 ? 8 : 16);
  return length;
}

/** ifreq that names an interface. */
export function emitInterfaceRequest(b: Buffer, name: string): number {
  b.fill(0, 0, IFREQ_LEN).write(name.slice(0, IFNAME_LEN - 1), 0, 'latin1');
  return IFREQ_LEN;
}

/** The number that an answer to an interface request carries. */
export const interfaceNumber = (b: Buffer): number => b.readInt32LE(IFREQ_VALUE);

/** The IPv4 address that an answer to an interface request carries, as an int32. */
export const interfaceAddress = (b: Buffer): number => b.readInt32BE(IFREQ_VALUE + 4);
