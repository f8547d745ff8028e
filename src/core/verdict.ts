/** What becomes of a packet that the director has seen. The entry it belongs to, if any, is told beside it. */
export const VERDICT = {
  /** Not IPVS's: on to the host's own stack, or where the host routes it. */
  PASS: 0,
  DROP: 1,
  /** To the entry's server by its forwarding method. */
  TRANSMIT: 2,
  /** From the entry's server: source translated if it is masqueraded, then on to the client. */
  REPLY: 3,
  /** An ICMP error about the entry's packets: to its server, the quoted packet translated if masqueraded. */
  TRANSMIT_ICMP: 4,
  /** An ICMP error from the server's side about the entry's packets: on to the client. */
  REPLY_ICMP: 5,
  /** Dropped, and its sender told by ICMP that the port is unreachable. */
  REJECT: 6,
  /** A fragment: to come again as part of the whole packet. */
  REASSEMBLE: 7,
} as const;
export type Verdict = (typeof VERDICT)[keyof typeof VERDICT];

/** Where the host meets a packet (netfilter's names). */
export const HOOK = {
  /** Addressed to the host. */
  LOCAL_IN: 0,
  /** To be routed on. */
  FORWARD: 1,
  /** Made by the host itself. */
  LOCAL_OUT: 2,
} as const;
export type Hook = (typeof HOOK)[keyof typeof HOOK];

/** Why packets were dropped, as counters name it. */
export const DROP_REASONS = [
  'malformed_ip',
  'malformed_transport',
  'bad_icmp_checksum',
  'no_destination',
  'icmp_no_destination',
  'destination_gone',
  'no_call_id',
  'table_full',
  'drop_packet_defence',
  'no_connection_of_server',
] as const;
export type DropReason = (typeof DROP_REASONS)[number];
