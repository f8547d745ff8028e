/** Flags of a connection entry, numbered as the kernel does (the sync daemon puts them on the wire). */
export const CONN_FLAG = {
  /** Forwarding method, one of METHOD. */
  METHOD_MASK: 0x0007,
  /** Made by the backup daemon. */
  SYNC: 0x0020,
  HASHED: 0x0040,
  /** Replies are not seen. */
  NOOUTPUT: 0x0080,
  /** Counted as inactive. */
  INACTIVE: 0x0100,
  OUT_SEQ: 0x0200,
  IN_SEQ: 0x0400,
  /** The client's port is not known yet. */
  NO_CPORT: 0x0800,
  TEMPLATE: 0x1000,
  /** Never hashed, dies after its packet. */
  ONE_PACKET: 0x2000,
  NFCT: 0x10000,
  /** Not the kernel's, and not told to other directors: sockets of the director have opened it. */
  PROXIED: 0x20000,
} as const;
