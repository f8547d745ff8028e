/** Checksums of tunnel packets: the values of a destination's `tunnelFlags` (uapi IP_VS_TUNNEL_ENCAP_FLAG_*). */
export const TUNNEL_FLAG = { NOCSUM: 0, CSUM: 1, REMCSUM: 2 } as const;
