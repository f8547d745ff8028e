import type { Address } from '../core/address.ts';
import { TUNNEL_TYPE } from '../core/config.ts';
import { IPV4_HEADER_LEN } from '../core/wire/ipv4.ts';
import { IPV6_HEADER_LEN } from '../core/wire/ipv6.ts';
import { UDP_HEADER_LEN } from '../core/wire/udp.ts';

/** Bits of a destination's tunnel flags (uapi IP_VS_TUNNEL_ENCAP_FLAG_*). */
export const TUNNEL_FLAG = { CSUM: 1, REMCSUM: 2 } as const;

// GRE, RFC 2784. All fields big-endian.
/** Flag: a checksum follows. */
export const GRE_CHECKSUM = 0x8000;
/** Flags and protocol. */
export const GRE_HEADER_LEN = 4;
/** Checksum and reserved field, there if GRE_CHECKSUM is set. */
export const GRE_CHECKSUM_LEN = 4;
/** What GRE says of the packet within. */
export const ETHERTYPE = { IPV4: 0x0800, IPV6: 0x86dd } as const;

// Generic UDP encapsulation, version 0 (uapi linux/gue.h); a head, then optional words.
/** The head alone. */
export const GUE_HEADER_LEN = 4;
/** Of the first byte: the content is no packet. */
export const GUE_CONTROL = 0x20;
/** Of the first byte: how many words of 4 bytes follow the head. */
export const GUE_WORDS = 0x1f;
/** Flag: the words begin with private flags. */
export const GUE_PRIVATE = 0x0001;
/** Private flag: remote checksum, start and place of a sum that the receiver makes, 16 bits each. */
export const GUE_REMOTE_CHECKSUM = 0x80000000;
/** Private flags and remote checksum. */
export const GUE_REMOTE_CHECKSUM_LEN = 8;

/** How packets reach a destination in a tunnel. */
export interface Tunnel {
  /** One of TUNNEL_TYPE. */
  readonly type: number;
  /** Bits of TUNNEL_FLAG. */
  readonly flags: number;
  /** UDP port of the server, of GUE only. */
  readonly port: number;
  /** The director's address on the way to the server. */
  readonly source: Address;
  readonly server: Address;
}

/** Whether a packet's unfinished checksum is left to the server. */
export const leavesChecksum = (tunnel: Pick<Tunnel, 'type' | 'flags'>, isPartial: boolean): boolean =>
  isPartial && tunnel.type === TUNNEL_TYPE.GUE && (tunnel.flags & TUNNEL_FLAG.REMCSUM) !== 0;

/**
 * Bytes that a tunnel puts before a packet: what the path's MTU has less for it.
 * @param isOuterV6 the server's address is an IPv6 one
 * @param isPartial the packet's checksum is unfinished
 */
export function tunnelOverhead(
  tunnel: Pick<Tunnel, 'type' | 'flags'>,
  isOuterV6: boolean,
  isPartial: boolean,
): number {
  return (isOuterV6 ? IPV6_HEADER_LEN : IPV4_HEADER_LEN) + innerOverhead(tunnel, isPartial);
}

/** Bytes between outer and inner IP header. */
export function innerOverhead(tunnel: Pick<Tunnel, 'type' | 'flags'>, isPartial: boolean): number {
  switch (tunnel.type) {
    case TUNNEL_TYPE.GUE:
      return (
        UDP_HEADER_LEN + GUE_HEADER_LEN + (leavesChecksum(tunnel, isPartial) ? GUE_REMOTE_CHECKSUM_LEN : 0)
      );
    case TUNNEL_TYPE.GRE:
      return GRE_HEADER_LEN + ((tunnel.flags & TUNNEL_FLAG.CSUM) !== 0 ? GRE_CHECKSUM_LEN : 0);
    default:
      return 0;
  }
}
