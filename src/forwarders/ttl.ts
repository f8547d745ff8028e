import { ipVersion, ipv4Ttl, setIpv4Ttl } from '../core/wire/ipv4.ts';
import { ipv6HopLimit, setIpv6HopLimit } from '../core/wire/ipv6.ts';

/** TTL or hop limit of the IP packet at `at`. */
export const ttlOf = (b: Uint8Array, at: number): number =>
  ipVersion(b, at) === 6 ? ipv6HopLimit(b, at) : ipv4Ttl(b, at);

/** Writes TTL (with the header's checksum) or hop limit. @param ttl 0 to 255 */
export function setTtl(b: Uint8Array, at: number, ttl: number): void {
  if (ipVersion(b, at) === 6) setIpv6HopLimit(b, at, ttl);
  else setIpv4Ttl(b, at, ttl);
}

/**
 * Takes one off the TTL or hop limit, as whoever forwards a packet does.
 * @returns false if it has none left to go: the packet is unchanged, and its sender is to be told
 */
export function decrementTtl(b: Uint8Array, at: number): boolean {
  const ttl = ttlOf(b, at);
  if (ttl <= 1) return false;
  setTtl(b, at, ttl - 1);
  return true;
}
