/** Where the parts of an IP packet lie: of a PacketView that has read it, what rewriting needs. */
export interface PacketPlace {
  readonly bytes: Uint8Array;
  /** Where the IP header starts. */
  readonly at: number;
  /** Where the header behind IP options or extension headers starts. */
  readonly transport: number;
  /** Where the packet ends. */
  readonly end: number;
  readonly isV6: boolean;
  /** Of the header at `transport`. */
  readonly protocol: number;
}

/** Numbers of ICMP and ICMPv6, and of an IPv4 or IPv6 packet within a packet. */
export const IP_PROTOCOL = { ICMP: 1, IPIP: 4, IPV6: 41, GRE: 47, ICMPV6: 58 } as const;
