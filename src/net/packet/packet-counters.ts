/** What the packet plane counts beside the core's own drops. */
export function createPacketCounters() {
  return {
    packets_in: 0,
    bytes_in: 0,
    packets_passed: 0,
    packets_to_servers: 0,
    packets_to_clients: 0,
    icmp_errors_sent: 0,
    dropped_malformed: 0,
    dropped_ttl: 0,
    dropped_too_big: 0,
    dropped_no_route: 0,
    dropped_martian: 0,
    dropped_output: 0,
    dropped_fragments: 0,
  };
}

export type PacketCounters = ReturnType<typeof createPacketCounters>;
